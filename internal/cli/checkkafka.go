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
)

// kafka tries the brokers, the topics and the rights.
func (k *checkup) kafka(ctx context.Context, cfg *config.Config, log *slog.Logger) {
	brokers := kafkaconn.New(kafkaConfig(cfg.Kafka, "orderwalk-check", log))
	defer brokers.Close()
	clusterID, err := reachKafka(ctx, brokers, log)
	if err != nil {
		k.failed("Kafka", err.Error(), hintFor(err))
		return
	}
	k.ok("Kafka", fmt.Sprintf("cluster %s, as %s%s", clusterID, brokers.Principal(), inClear(cfg.Kafka)))
	k.brokers(ctx, brokers)

	report, err := access.Look(ctx, brokers.Addr, brokers.Transport, needs(cfg))
	if err != nil {
		k.failed("rights", err.Error())
		return
	}
	for _, name := range cfg.OrdersTopics {
		k.topic(ctx, brokers, report, topics.Spec{Name: name}, cfg.TopicPartitions)
	}
	k.topic(ctx, brokers, report, topics.Spec{Name: cfg.OffsetsTopic, Compacted: true}, cfg.OffsetsPartitions)
	k.starts(ctx, cfg, brokers, report.Partitions[cfg.OffsetsTopic])
	k.rights("transactional IDs "+cfg.Group+"-*", "may write", brokers, report.Of("transactional ID", ""))
	k.rights("group "+cfg.Group, "may join", brokers, report.Of("group", ""))
}

// brokers tries each broker by the address the cluster gives for it: the walk
// needs them all, and they are not the ones in the environment.
func (k *checkup) brokers(ctx context.Context, brokers *kafkaconn.Kafka) {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	client := kafka.Client{Addr: brokers.Addr, Transport: brokers.Transport}
	found, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{}})
	if err != nil {
		k.failed("brokers", err.Error())
		return
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
}

// inClear warns of what anybody on the way can read.
func inClear(k config.Kafka) string {
	switch {
	case k.TLS.Enable:
		return ""
	case k.SASL.Mechanism == kafkaconn.Plain:
		return "; the password travels in clear text: use TLS"
	case k.SASL.Mechanism == kafkaconn.OAuthBearer:
		return "; the token travels in clear text: use TLS"
	}
	return ""
}

// topic adds what is known of one, and looks at its cleanup.policy if it is to
// be compacted. partitions are what a missing one would get.
func (k *checkup) topic(ctx context.Context, brokers *kafkaconn.Kafka, report access.Report, spec topics.Spec, partitions int) {
	check := "topic " + spec.Name
	missing := report.Of("topic", spec.Name)
	found, there := report.Partitions[spec.Name]
	switch {
	case len(missing) > 0:
		detail := ""
		if !there && !slices.Contains(report.Absent, spec.Name) {
			detail = " (whether the topic is there Kafka tells only those who may see it)"
		}
		k.denied(check, brokers, missing, detail)
		return
	case !there:
		k.ok(check, fmt.Sprintf("not there yet; run may create it, with %s", count(partitions, "partition")))
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	if _, err := topics.Ensure(ctx, brokers.Addr, brokers.Transport, spec); err != nil {
		var fault *topics.Error
		if errors.As(err, &fault) {
			k.failed(check, fault.Problem, fault.Hint)
			return
		}
		k.failed(check, err.Error())
		return
	}
	detail := count(found, "partition") + ", may write"
	if spec.Compacted {
		detail = count(found, "partition") + ", may read and write"
	}
	k.ok(check, detail)
}

func (k *checkup) rights(check, may string, brokers *kafkaconn.Kafka, missing []access.Right) {
	if len(missing) == 0 {
		k.ok(check, may)
		return
	}
	k.denied(check, brokers, missing, "")
}

// denied names the principal, the rights and the commands that grant them.
func (k *checkup) denied(check string, brokers *kafkaconn.Kafka, missing []access.Right, more string) {
	principal := brokers.Principal()
	var do []string
	for _, r := range missing {
		do = append(do, r.Command(principal))
	}
	k.failed(check, fmt.Sprintf("%s lacks %s%s", principal, joinRights(missing), more), do...)
}
