# Barnabas in a small Debian image. Configuration comes from KAFKA_* variables, by the rules of the
# apache/kafka image, layered over packaging/server.properties.
FROM rust:1-bookworm AS build
ARG PROFILE=dist
WORKDIR /src
COPY . .
RUN cargo build --locked --profile "$PROFILE" --bin barnabas \
 && install -D "target/$PROFILE/barnabas" /out/barnabas

FROM debian:bookworm-slim
RUN useradd --uid 1000 --home-dir /var/lib/barnabas --create-home --shell /usr/sbin/nologin barnabas
COPY --from=build /out/barnabas /usr/local/bin/barnabas
COPY packaging/server.properties /etc/barnabas/server.properties
USER barnabas
VOLUME /var/lib/barnabas
EXPOSE 9092
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=5s CMD ["barnabas", "health"]
LABEL org.springframework.boot.service-connection=kafka
ENTRYPOINT ["barnabas"]
CMD ["server", "/etc/barnabas/server.properties"]
