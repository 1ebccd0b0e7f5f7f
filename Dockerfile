# The program and nothing else: CA certificates and time zones are inside it.
# `make image` builds bin/fairway first.
FROM scratch

COPY bin/fairway /fairway

# Not root. Docker lets every user of a container bind port 80 and above: its
# containers have net.ipv4.ip_unprivileged_port_start=0. To read the Docker socket,
# add its group (`group_add`), or better, use a socket proxy: see SECURITY.md.
USER 65532:65532

EXPOSE 80 443 8080

HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["/fairway", "healthcheck"]

ENTRYPOINT ["/fairway"]
