// Package kafkaconn is how this process connects to Kafka: the one place where
// connections are encrypted (TLS, with a certificate of our own or without) and
// logged in (SASL PLAIN, SCRAM, OAUTHBEARER, AWS_MSK_IAM), for kafka-go's
// Transport and its Dialer alike.
//
// It sends no request of its own beyond what makes a connection usable, knows
// no topics and no records, and knows no variable of the environment but those
// of AWS: an [Error] names its [Cause], and the command line what to do about it.
// Its users are the command line, which makes one [Kafka] for a process and hands
// its Transport and Dialer on, and through them everything else.
//
// # Why not kafka-go's own TLS and SASL
//
// kafka-go keeps one tls.Config for ever, drops what the broker says about the
// life of a session, and never logs in again on a connection. Here the dial
// function does all of it, so kafka-go is given connections that are ready:
//
//	dial ─► TLS ─► ApiVersions ─► SASL ─► kafka-go
//	        files   the first      password, token or key,
//	        read    answer         read now
//	        now
//
// # How long a connection lives
//
// Certificates, passwords and tokens are read when a connection is made, so a
// new one counts once the old connections are gone. A broker with
// connections.max.reauth.ms closes a connection whose session is over, at the
// next request on it; kafka-go would report that request as lost. Therefore
// all connections of the Transport are replaced
//
//   - when the oldest has lived for [Config.MaxAge], 10 minutes by default,
//   - or for 80 % of the session the broker granted, if that is shorter.
//
// First a new connection is tried. If it cannot be made, or the login is
// refused, the old ones stay in use, the log says so once, and it is tried
// again soon: a password that reaches the broker a minute before it reaches our
// file stops nothing. If it can, requests under way end on the connections they
// are on, and new ones open their own.
//
// Once a connection has been made, no later refusal counts as final (Refused):
// requests that need a new connection meanwhile are repeated by their owners
// until the secret is the same on both sides.
//
// A connection of the Dialer is not replaced; kafka-go's ConsumerGroup has one
// for a generation. When the broker ends its session, the ConsumerGroup opens
// another and joins again under the same member ID, and the assignment stays.
package kafkaconn
