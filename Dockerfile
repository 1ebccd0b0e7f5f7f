# The program and nothing else: CA certificates and time zones are inside it.
# `make image` builds bin/fairway first.
FROM scratch

COPY image /
COPY bin/fairway /fairway

# As root, as Traefik's image does: so a stack that mounts the socket of Docker and a
# volume for certificates runs unchanged. Who may read that socket is root of the host
# anyway. With a socket proxy (SECURITY.md) take `user: fairway`: containers may bind port
# 80 and above as any user.
EXPOSE 80 443 8080

HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["/fairway", "healthcheck"]

ENTRYPOINT ["/fairway"]
