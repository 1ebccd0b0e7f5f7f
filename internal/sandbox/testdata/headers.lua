function on_request()
  local id = header("X-Id") or "none"
  header("X-Edge", "fairway-" .. id)
  header("X-Version", "2")
end
