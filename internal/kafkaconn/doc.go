// Package kafkaconn connects this process to Kafka. It is the only place where
// connections are encrypted (TLS, with or without a client certificate) and logged in
// (SASL PLAIN, SCRAM, OAUTHBEARER, AWS_MSK_IAM), for kafka-go's Transport and Dialer
// alike.
//
// It sends only the requests that make a connection usable. It does not handle topics or
// records, and the only variables it reads are those of AWS: an [Error] names its
// [Cause], and the command line adds what to do about it. The command line makes one
// [Kafka] for a process and passes its Transport and Dialer to everything else.
//
// # Why not kafka-go's own TLS and SASL
//
// kafka-go keeps one tls.Config for ever, ignores the session lifetime that the broker
// returns, and never logs in again on a connection. Here the dial function does all of
// that, so kafka-go gets connections that are ready:
//
//	dial ─► TLS ─► ApiVersions ─► SASL ─► kafka-go
//	        files   the first      password, token or key,
//	        read    answer         read now
//	        now
//
// # How long a connection lives
//
// Certificates, passwords and tokens are read when a connection is opened, so a new one
// is in use everywhere once the old connections are closed. A broker with
// connections.max.reauth.ms closes a connection with an expired session at the next
// request on it, and kafka-go would report that request as lost. Therefore all
// connections of the Transport are replaced
//
//   - when the oldest has lived for [Config.MaxAge], 10 minutes by default,
//   - or after 80 % of the session that the broker granted, if that is shorter.
//
// First a new connection is tried. If it succeeds, requests under way finish on their
// connections and later ones open new connections. If it cannot be opened, or the broker
// refuses the login, the old connections stay in use, the failure is logged once, and it
// is tried again soon: a password that changes on the broker a minute before it changes
// in our file interrupts nothing.
//
// Once a connection has succeeded, no later refusal counts as final (Refused): callers
// repeat requests that need a new connection until the secret is the same on both sides.
//
// Connections of the Dialer are not replaced; kafka-go's ConsumerGroup uses one for each
// generation. When the broker ends its session, the ConsumerGroup opens another one and
// joins again under the same member ID, and the assignment stays.
package kafkaconn
