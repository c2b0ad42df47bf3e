//! Authentication, authorisation, TLS and pluggable policies.

use super::row::{
    ConfigKey, Valid, boolean, class, double, int, list, long, password, short, string,
};

#[rustfmt::skip]
pub(super) const KEYS: &[ConfigKey] = &[
    class("alter.config.policy.class.name").protects(
        "A class that judges every change of a config."),
    string("authorizer.class.name").default("").protects(
        "The class that decides who may do what. Empty: everyone may do everything."),
    class("client.quota.callback.class").protects(
        "A class that decides which quota applies to a client."),
    class("create.topic.policy.class.name").protects(
        "A class that judges every request to create a topic."),
    long("delegation.token.expiry.check.interval.ms").default("3600000").min(1).known(
        "How often expired delegation tokens are removed."),
    long("delegation.token.expiry.time.ms").default("86400000").min(1).known(
        "How long a delegation token is valid before it must be renewed."),
    long("delegation.token.max.lifetime.ms").default("604800000").min(1).known(
        "Longest life of a delegation token, renewals included."),
    password("delegation.token.secret.key").known(
        "The secret that delegation tokens are made with. It must be the same on all brokers."),
    class("principal.builder.class")
        .default("org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder")
        .per_broker().protects(
        "The class that turns an authenticated connection into a principal."),
    class("sasl.client.callback.handler.class").known(
        "The class that answers SASL callbacks of broker-to-broker connections."),
    list("sasl.enabled.mechanisms").default("GSSAPI").per_broker().known(
        "SASL mechanisms that clients may use."),
    password("sasl.jaas.config").per_broker().known(
        "Login settings of a SASL mechanism, in JAAS form."),
    string("sasl.kerberos.kinit.cmd").default("/usr/bin/kinit").per_broker().known(
        "Path of the kinit command."),
    long("sasl.kerberos.min.time.before.relogin").default("60000").per_broker().known(
        "Shortest time between two Kerberos logins."),
    list("sasl.kerberos.principal.to.local.rules").default("DEFAULT").per_broker().known(
        "Rules from Kerberos principals to short names."),
    string("sasl.kerberos.service.name").per_broker().known("The Kerberos name of the broker."),
    double("sasl.kerberos.ticket.renew.jitter").default("0.05").per_broker().known(
        "Random part of the Kerberos renewal time."),
    double("sasl.kerberos.ticket.renew.window.factor").default("0.8").per_broker().known(
        "Share of a ticket's life after which it is renewed."),
    class("sasl.login.callback.handler.class").known(
        "The class that answers SASL login callbacks."),
    class("sasl.login.class").known("The class that logs in."),
    int("sasl.login.connect.timeout.ms").known(
        "Connect timeout towards an external identity provider."),
    int("sasl.login.read.timeout.ms").known("Read timeout towards an external identity provider."),
    short("sasl.login.refresh.buffer.seconds").default("300").per_broker().known(
        "Time before expiry at which a login is refreshed at the latest."),
    short("sasl.login.refresh.min.period.seconds").default("60").per_broker().known(
        "Shortest wait before a login is refreshed."),
    double("sasl.login.refresh.window.factor").default("0.8").per_broker().known(
        "Share of a credential's life after which it is refreshed."),
    double("sasl.login.refresh.window.jitter").default("0.05").per_broker().known(
        "Random part of the refresh time."),
    long("sasl.login.retry.backoff.max.ms").default("10000").known(
        "Longest wait between login attempts at an identity provider."),
    long("sasl.login.retry.backoff.ms").default("100").known(
        "First wait between login attempts at an identity provider."),
    string("sasl.mechanism.controller.protocol").default("GSSAPI").known(
        "SASL mechanism towards controllers."),
    string("sasl.mechanism.inter.broker.protocol").default("GSSAPI").per_broker().known(
        "SASL mechanism between brokers."),
    boolean("sasl.oauthbearer.allow.unverified.audience").default("false").known(
        "Whether tokens are accepted without checking whom they are for."),
    boolean("sasl.oauthbearer.allow.unverified.issuer").default("false").known(
        "Whether tokens are accepted without checking who issued them."),
    string("sasl.oauthbearer.assertion.algorithm").default("RS256")
        .valid(Valid::OneOfIgnoreCase(&["ES256", "RS256"])).known(
        "Signature algorithm of the OAuth client assertion."),
    string("sasl.oauthbearer.assertion.claim.aud").known(
        "Audience claim of the OAuth client assertion."),
    int("sasl.oauthbearer.assertion.claim.exp.seconds").default("300").range(0, 86400).known(
        "Life of the OAuth client assertion."),
    string("sasl.oauthbearer.assertion.claim.iss").known(
        "Issuer claim of the OAuth client assertion."),
    boolean("sasl.oauthbearer.assertion.claim.jti.include").default("false").known(
        "Whether the OAuth client assertion carries a unique id."),
    int("sasl.oauthbearer.assertion.claim.nbf.seconds").default("60").range(0, 3600).known(
        "How long before its creation the OAuth client assertion is valid."),
    string("sasl.oauthbearer.assertion.claim.sub").known(
        "Subject claim of the OAuth client assertion."),
    string("sasl.oauthbearer.assertion.file").known("A file with a ready OAuth client assertion."),
    string("sasl.oauthbearer.assertion.private.key.file").known(
        "A file with the key that signs the OAuth client assertion."),
    password("sasl.oauthbearer.assertion.private.key.passphrase").known("Passphrase of that key."),
    string("sasl.oauthbearer.assertion.template.file").known(
        "A file with further claims of the OAuth client assertion."),
    string("sasl.oauthbearer.client.credentials.client.id").known(
        "Client id of the OAuth client credentials grant."),
    password("sasl.oauthbearer.client.credentials.client.secret").known(
        "Client secret of the OAuth client credentials grant."),
    int("sasl.oauthbearer.clock.skew.seconds").default("30").known(
        "Clock difference that is allowed when tokens are checked."),
    list("sasl.oauthbearer.expected.audience").default("").known(
        "Audiences of which a token must name one."),
    string("sasl.oauthbearer.expected.issuer").known("The issuer a token must have."),
    long("sasl.oauthbearer.jwks.endpoint.refresh.ms").default("3600000").known(
        "How often the keys of the identity provider are read again."),
    long("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms").default("10000").known(
        "Longest wait between attempts to read those keys."),
    long("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms").default("100").known(
        "First wait between attempts to read those keys."),
    string("sasl.oauthbearer.jwks.endpoint.url").known(
        "Where the keys of the identity provider are."),
    class("sasl.oauthbearer.jwt.retriever.class")
        .default("org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever").known(
        "The class that fetches tokens."),
    class("sasl.oauthbearer.jwt.validator.class")
        .default("org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator").known(
        "The class that checks tokens."),
    string("sasl.oauthbearer.scope").known(
        "Scope asked for with the OAuth client credentials grant."),
    string("sasl.oauthbearer.scope.claim.name").default("scope").known(
        "The claim that holds the scope."),
    string("sasl.oauthbearer.sub.claim.name").default("sub").known(
        "The claim that holds the subject."),
    string("sasl.oauthbearer.token.endpoint.url").known("Where tokens are fetched."),
    class("sasl.server.callback.handler.class").known(
        "The class that answers SASL server callbacks."),
    int("sasl.server.max.receive.size").default("524288").known(
        "Largest SASL message that is read before authentication."),
    string("security.inter.broker.protocol").default("PLAINTEXT")
        .one_of(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]).protects(
        "Security protocol between brokers, if inter.broker.listener.name is not given."),
    string("security.providers").known("Java security providers."),
    boolean("ssl.allow.dn.changes").default("false").known(
        "Whether a new certificate may carry another name."),
    boolean("ssl.allow.san.changes").default("false").known(
        "Whether a new certificate may carry other alternative names."),
    list("ssl.cipher.suites").default("").per_broker().known("TLS cipher suites that may be used."),
    string("ssl.client.auth").default("none").one_of(&["required", "requested", "none"])
        .per_broker().known("Whether clients must show a certificate."),
    list("ssl.enabled.protocols").default("TLSv1.2,TLSv1.3").per_broker().known(
        "TLS versions that may be used."),
    string("ssl.endpoint.identification.algorithm").default("https").per_broker().known(
        "How the name of the other end is checked against its certificate."),
    class("ssl.engine.factory.class").per_broker().known("The class that makes TLS engines."),
    password("ssl.key.password").per_broker().known("Password of the private key."),
    string("ssl.keymanager.algorithm").default("SunX509").per_broker().known(
        "Java's key manager algorithm."),
    password("ssl.keystore.certificate.chain").per_broker().known(
        "The certificate chain, as PEM text."),
    password("ssl.keystore.key").per_broker().known("The private key, as PEM text."),
    string("ssl.keystore.location").per_broker().known("File with the key and the certificate."),
    password("ssl.keystore.password").per_broker().known("Password of that file."),
    string("ssl.keystore.type").default("JKS").per_broker().known("Format of that file."),
    string("ssl.principal.mapping.rules").default("DEFAULT").known(
        "Rules from certificate names to short names."),
    string("ssl.protocol").default("TLSv1.3").per_broker().known("TLS version that is preferred."),
    string("ssl.provider").per_broker().known("Java's TLS provider."),
    string("ssl.secure.random.implementation").per_broker().known(
        "Java's random number generator."),
    string("ssl.trustmanager.algorithm").default("PKIX").per_broker().known(
        "Java's trust manager algorithm."),
    password("ssl.truststore.certificates").per_broker().known(
        "Trusted certificates, as PEM text."),
    string("ssl.truststore.location").per_broker().known("File with the trusted certificates."),
    password("ssl.truststore.password").per_broker().known("Password of that file."),
    string("ssl.truststore.type").default("JKS").per_broker().known("Format of that file."),
];
