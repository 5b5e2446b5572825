package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"

	"github.com/segmentio/kafka-go"

	"orderwalk/internal/access"
	"orderwalk/internal/config"
	"orderwalk/internal/kafkaconn"
	"orderwalk/internal/topics"
	"orderwalk/internal/txn"
)

// kafka checks the brokers, the topics and the rights.
func (k *checkup) kafka(ctx context.Context, cfg *config.Config, log *slog.Logger) {
	brokers := kafkaconn.New(kafkaConfig(cfg.Kafka, "orderwalk-check", log))
	defer brokers.Close()
	clusterID, err := reachKafka(ctx, brokers, log)
	if err != nil {
		k.failed("Kafka", err.Error(), hintFor(err))
		return
	}
	k.ok("Kafka", fmt.Sprintf("cluster %s, as %s%s", clusterID, brokers.Principal(), inClear(cfg.Kafka)))
	size := k.brokers(ctx, brokers)

	report, err := access.Look(ctx, brokers.Addr, brokers.Transport, needs(cfg))
	if err != nil {
		k.failed("rights", kafkaconn.Worded(err).Error(), hintFor(brokers.Failed(err)))
		return
	}
	k.topics(ctx, cfg, brokers, report)
	k.starts(ctx, cfg, brokers, report.Partitions[cfg.OffsetsTopic])
	tries := []struct {
		check   string
		missing []access.Right
		try     func(context.Context, *config.Config, *kafkaconn.Kafka, int) finding
		found   finding
	}{
		{check: "transactional IDs " + cfg.Group + "-*", missing: report.Of("transactional ID", ""), try: transactions},
		{check: "group " + cfg.Group, missing: report.Of("group", ""), try: membership},
	}
	var trying sync.WaitGroup // each may take seconds
	for i := range tries {
		if len(tries[i].missing) == 0 {
			trying.Go(func() { tries[i].found = tries[i].try(ctx, cfg, brokers, size) })
		}
	}
	trying.Wait()
	for _, t := range tries {
		if len(t.missing) > 0 {
			t.found = denied(brokers, t.missing, "")
		}
		t.found.Check = t.check
		k.add(t.found)
	}
}

// brokers connects to each broker at its advertised address: the walk needs
// all of them, and the configured bootstrap addresses may be others. It
// returns the number of brokers.
func (k *checkup) brokers(ctx context.Context, brokers *kafkaconn.Kafka) (size int) {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	client := kafka.Client{Addr: brokers.Addr, Transport: brokers.Transport}
	found, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{}})
	if err != nil {
		k.failed("brokers", kafkaconn.Worded(err).Error(), hintFor(brokers.Failed(err)))
		return 0
	}
	errs := make([]error, len(found.Brokers))
	var wg sync.WaitGroup
	for i, b := range found.Brokers {
		wg.Go(func() {
			conn, err := brokers.Dialer.DialContext(ctx, "tcp", net.JoinHostPort(b.Host, strconv.Itoa(b.Port)))
			if err == nil {
				err = conn.Close()
			}
			errs[i] = err
		})
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			k.failed(fmt.Sprintf("broker %d", found.Brokers[i].ID), err.Error(), hintFor(err))
		}
	}
	return len(found.Brokers)
}

// inClear warns of data that is sent unencrypted.
func inClear(k config.Kafka) string {
	switch {
	case k.TLS.Enable:
		return ""
	case k.SASL.Mechanism == kafkaconn.Plain:
		return "; the password is sent in clear text: use TLS"
	case k.SASL.Mechanism == kafkaconn.OAuthBearer:
		return "; the token is sent in clear text: use TLS"
	}
	return ""
}

// topicsAtOnce is the number of topics checked in parallel.
const topicsAtOnce = 16

// topics checks the topics of the orders and that of the offsets.
func (k *checkup) topics(ctx context.Context, cfg *config.Config, brokers *kafkaconn.Kafka, report access.Report) {
	var specs []topics.Spec
	for _, name := range cfg.OrdersTopics {
		specs = append(specs, topics.Spec{Name: name, Partitions: cfg.TopicPartitions})
	}
	specs = append(specs, topics.Spec{Name: cfg.OffsetsTopic, Partitions: cfg.OffsetsPartitions, Compacted: true})
	line := newCountLine(k.streams, len(specs), "topics checked")
	k.beside(line, func() {
		inOrder(len(specs), topicsAtOnce, func(i int) finding {
			found := checkTopic(ctx, brokers, report, specs[i])
			line.one(!found.OK)
			return found
		}, func(i int, found finding) {
			found.Check = "topic " + specs[i].Name
			k.add(found)
		})
	})
}

// checkTopic checks one topic, and the cleanup.policy of a compacted one. A missing
// topic would get spec.Partitions.
func checkTopic(ctx context.Context, brokers *kafkaconn.Kafka, report access.Report, spec topics.Spec) finding {
	missing := report.Of("topic", spec.Name)
	found, there := report.Partitions[spec.Name]
	switch {
	case len(missing) > 0:
		detail := ""
		if !there && !slices.Contains(report.Absent, spec.Name) {
			detail = " (Kafka does not show this client whether the topic exists)"
		}
		return denied(brokers, missing, detail)
	case !there:
		return finding{OK: true, Detail: fmt.Sprintf("does not exist yet; run may create it with %s", count(spec.Partitions, "partition"))}
	}
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	if _, err := topics.Ensure(ctx, brokers.Addr, brokers.Transport, spec); err != nil {
		var fault *topics.Error
		if errors.As(err, &fault) {
			return finding{Detail: fault.Problem, Do: []string{hintFor(fault)}}
		}
		return finding{Detail: kafkaconn.Worded(err).Error(), Do: []string{hintFor(brokers.Failed(err))}}
	}
	if most, known := largestBatch(ctx, brokers, spec.Name); known && most < txn.LargestBatch {
		return finding{Detail: fmt.Sprintf("accepts batches of %d bytes (max.message.bytes), but orderwalk sends up to %d", most, txn.LargestBatch),
			Do: []string{fmt.Sprintf("run kafka-configs.sh --alter --entity-type topics --entity-name %s --add-config max.message.bytes=1048588", spec.Name)}}
	}
	detail := count(found, "partition") + ", may write"
	if spec.Compacted {
		detail = count(found, "partition") + ", may read and write"
	}
	return finding{OK: true, Detail: detail}
}

// denied names the principal, the rights and the commands that grant them.
func denied(brokers *kafkaconn.Kafka, missing []access.Right, more string) finding {
	principal := brokers.Principal()
	var do []string
	for _, r := range missing {
		do = append(do, r.Command(principal))
	}
	return finding{Detail: fmt.Sprintf("%s lacks %s%s", principal, joinRights(missing), more), Do: do}
}
