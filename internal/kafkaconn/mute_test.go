package kafkaconn

import (
	"context"
	"net"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/segmentio/kafka-go"
)

// A bootstrap address that does not answer, such as that of a removed node, uses its own
// time limit and not that of the next addresses, in whichever order they are tried.
func TestMuteBootstrapAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, brokers := startKafka(t)
		const mute = "192.0.2.1:9092"
		dial := func(ctx context.Context, kind, addr string) (net.Conn, error) {
			if addr == mute {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return network.DialContext(ctx, kind, addr)
		}
		for range 20 {
			k := New(Config{Brokers: []string{mute, mute, brokers[0]}, Dial: dial})
			client := kafka.Client{Addr: k.Addr, Transport: k.Transport}
			if _, err := client.Metadata(t.Context(), &kafka.MetadataRequest{Topics: []string{}}); err != nil {
				t.Errorf("the address that answers was not tried: %v", err)
			}
			k.Close()
		}
	})
}

// A broker that expects another protocol hangs up with unread requests, which resets the
// connection: the error reports a hang-up.
func TestResetIsAHangUp(t *testing.T) {
	reset := &net.OpError{Op: "read", Err: syscall.ECONNRESET}
	for step, want := range map[string]Cause{stepEncrypt: CauseNotTLS, stepGreet: CauseHangUp} {
		if cause := New(Config{}).cause(step, reset); cause != want {
			t.Errorf("%s: cause %q, want %q", step, cause, want)
		}
	}
}
