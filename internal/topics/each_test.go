package topics

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A problem of one topic concerns only that topic, unless it is the mandatory one.
func TestCreateEachFailsTopicByTopic(t *testing.T) {
	specs := []Spec{{Name: "offsets", Partitions: 4, Compacted: true}, {Name: "good", Partitions: 3}, {Name: "bad", Partitions: 3}}
	fault := func(topic string, err *kerr.Error, keys ...kmsg.Key) kfake.Fault {
		return kfake.Fault{Keys: keys, Topic: topic, Err: err, Count: -1}
	}
	for name, c := range map[string]struct {
		fault kfake.Fault
		want  string
	}{
		"a name":         {fault("bad", kerr.InvalidTopicException, kmsg.CreateTopics), "not a valid topic name"},
		"a right":        {fault("bad", kerr.TopicAuthorizationFailed, kmsg.CreateTopics), "may not create it"},
		"a policy":       {fault("bad", kerr.PolicyViolation, kmsg.CreateTopics), "cannot be created"},
		"an odd refusal": {fault("bad", kerr.TopicDeletionDisabled, kmsg.CreateTopics), "create topic"},
		"a leader":       {fault("bad", kerr.LeaderNotAvailable, kmsg.Metadata), "wait for topic"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w fixture) {
				if strings.HasPrefix(c.want, "wait") {
					w.CreateTopic("bad", 2, nil)
				}
				w.Fault(c.fault)
				began := time.Now()
				partitions, faults, err := CreateEach(t.Context(), w.addr, w.transport, nil, specs...)
				if err != nil {
					t.Fatal(err)
				}
				if partitions["offsets"] != 4 || partitions["good"] != 3 || partitions["bad"] != 0 || len(faults) != 1 {
					t.Errorf("partitions %v, faults %v", partitions, faults)
				}
				if fault := faults["bad"]; fault == nil || !strings.Contains(fault.Error(), c.want) || !strings.Contains(fault.Error(), `"bad"`) {
					t.Errorf("fault is %v, want %q", fault, c.want)
				}
				var final *Error
				if definite := errors.As(faults["bad"], &final); definite != time.Now().Equal(began) {
					t.Errorf("definite is %v after %v", definite, time.Since(began))
				}
			})
		})
	}
	t.Run("the one that has to be there", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w fixture) {
			w.Fault(fault("offsets", kerr.PolicyViolation, kmsg.CreateTopics))
			var final *Error
			if _, _, err := CreateEach(t.Context(), w.addr, w.transport, nil, specs...); !errors.As(err, &final) || final.Spec.Name != "offsets" {
				t.Errorf("CreateEach = %v", err)
			}
		})
	})
	t.Run("the only one is waited for", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w fixture) {
			ails := w.Fault(fault("bad", kerr.LeaderNotAvailable, kmsg.Metadata))
			w.CreateTopic("bad", 2, nil)
			time.AfterFunc(time.Hour, ails.Remove)
			partitions, faults, err := CreateEach(t.Context(), w.addr, w.transport, nil, specs[0], specs[2])
			if err != nil || len(faults) > 0 || partitions["bad"] != 2 {
				t.Errorf("CreateEach = %v, %v, %v", partitions, faults, err)
			}
		})
	})
}
