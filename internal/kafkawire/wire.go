// Package kafkawire sends single requests to Kafka through a kafka-go transport, to
// the broker that the caller chooses, and past what the transport would do by itself:
// it answers metadata from its cache, routes transactional requests by asking for the
// coordinator before each one, and sends heartbeats to whichever broker it is
// connected to. What is in requests and answers is the callers' business: internal/txn,
// internal/group, internal/topics and internal/access.
//
// kafka-go's public API has what this needs: a BrokerMessage goes to the broker it
// names, a GroupMessage to the group's coordinator, and a RawExchanger writes and reads
// for itself on the connection.
package kafkawire

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// Wire is where requests go.
type Wire struct {
	Addr      net.Addr // bootstrap brokers
	Transport *kafka.Transport
}

// Request is a request with how it is sent.
type Request struct {
	Message protocol.Message
	// Limit bounds the wait for the answer. The connection dies with it, so an answer
	// that comes later is read by no one. When the context ends earlier the request is
	// left to itself until the limit.
	Limit time.Duration
	// FirstVersion has the first version sent, whatever is offered. Otherwise it is the
	// latest that broker and kafka-go know.
	FirstVersion bool
	// Read, if set, reads the answer's bytes, the size apart; nil = as kafka-go decodes
	// it.
	Read func(version int16, body []byte) (protocol.Message, error)
	// Write, if set, writes the request; nil = as kafka-go encodes it.
	Write func(w io.Writer, correlation int32, clientID string) error
}

// Answer is an answer with the version it came in.
type Answer struct {
	Message protocol.Message
	Version int16
}

// ToBroker sends a request to a broker.
func (w Wire) ToBroker(ctx context.Context, node int32, r Request) (Answer, error) {
	return w.send(ctx, r, func(x exchange) protocol.Message { return &toBroker{x, node} })
}

// ToGroup sends a request to the coordinator of a consumer group.
func (w Wire) ToGroup(ctx context.Context, group string, r Request) (Answer, error) {
	return w.send(ctx, r, func(x exchange) protocol.Message { return &toGroup{x, group} })
}

// ToAny sends a request to any broker. The transport does not recognise it: it
// neither answers from its cache nor waits for a topic that was created.
func (w Wire) ToAny(ctx context.Context, r Request) (Answer, error) {
	return w.send(ctx, r, func(x exchange) protocol.Message { return &x })
}

func (w Wire) send(ctx context.Context, r Request, message func(exchange) protocol.Message) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, r.Limit)
	defer cancel()
	answer, err := w.Transport.RoundTrip(ctx, w.Addr, message(exchange{Message: r.Message, request: r, clientID: w.Transport.ClientID}))
	if err != nil {
		return Answer{}, err
	}
	a := answer.(*received)
	return Answer{a.Message, a.version}, nil
}

// correlation can be the same for all requests: kafka-go has one in flight per
// connection, and closes a connection on which an answer is overdue.
const correlation = 1

// exchange is a request on its way.
type exchange struct {
	protocol.Message
	request  Request
	clientID string
	version  int16 // agreed with the broker
}

// Required notes the version.
func (x *exchange) Required(versions map[protocol.ApiKey]int16) bool {
	if !x.request.FirstVersion {
		x.version = versions[x.ApiKey()]
	}
	return true
}

func (x *exchange) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if x.request.Read == nil {
		m, err := protocol.RoundTrip(rw, x.version, correlation, x.clientID, x.Message)
		if err != nil {
			return nil, err
		}
		return &received{m, x.version}, nil
	}
	var err error
	if x.request.Write != nil {
		err = x.request.Write(rw, correlation, x.clientID)
	} else {
		err = protocol.WriteRequest(rw, x.version, correlation, x.clientID, x.Message)
	}
	if err != nil {
		return nil, err
	}
	body, err := readBody(rw)
	if err != nil {
		return nil, err
	}
	m, err := x.request.Read(x.version, body)
	if err != nil {
		return nil, err
	}
	return &received{m, x.version}, nil
}

// received is an answer that the transport does not recognise either.
type received struct {
	protocol.Message
	version int16
}

type toBroker struct {
	exchange
	node int32
}

// Broker names the broker to the transport.
func (m *toBroker) Broker(protocol.Cluster) (protocol.Broker, error) {
	return protocol.Broker{ID: m.node}, nil
}

type toGroup struct {
	exchange
	group string
}

// Group names the group to the transport.
func (m *toGroup) Group() string { return m.group }

// mostBody bounds what is believed of an answer's size.
const mostBody = 256 << 20

// readBody reads an answer's bytes, which its size goes before.
func readBody(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > mostBody {
		return nil, fmt.Errorf("an answer of %d bytes", n)
	}
	body := make([]byte, n)
	_, err := io.ReadFull(r, body)
	return body, err
}
