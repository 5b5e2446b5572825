package cli

import (
	"github.com/prometheus/client_golang/prometheus"

	"orderwalk/internal/kafkaconn"
)

// traffic exports what goes over the connections to Kafka, under the names that
// Strimzi's dashboard of Kafka Connect reads. One pool serves producing, fetching and
// administration, so the first two cannot be told apart on it.
type traffic struct {
	brokers                                *kafkaconn.Kafka
	sent, received, producers, memberships *prometheus.Desc
}

func newTraffic(brokers *kafkaconn.Kafka) *traffic {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	return &traffic{
		brokers:     brokers,
		sent:        desc("kafka_producer_outgoing_byte_total", "Bytes sent to Kafka on the pooled connections, nearly all of them orders and checkpoints."),
		received:    desc("kafka_consumer_incoming_byte_total", "Bytes received from Kafka, on all connections."),
		producers:   desc("kafka_producer_connection_count", "Open pooled connections to Kafka, for producing, fetching and administration."),
		memberships: desc("kafka_consumer_connection_count", "Open connections to Kafka of the group membership."),
	}
}

// Describe implements prometheus.Collector.
func (t *traffic) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{t.sent, t.received, t.producers, t.memberships} {
		ch <- desc
	}
}

// Collect implements prometheus.Collector.
func (t *traffic) Collect(ch chan<- prometheus.Metric) {
	pooled, single := t.brokers.Pooled(), t.brokers.Single()
	ch <- prometheus.MustNewConstMetric(t.sent, prometheus.CounterValue, float64(pooled.Sent))
	ch <- prometheus.MustNewConstMetric(t.received, prometheus.CounterValue, float64(pooled.Received+single.Received))
	ch <- prometheus.MustNewConstMetric(t.producers, prometheus.GaugeValue, float64(pooled.Open))
	ch <- prometheus.MustNewConstMetric(t.memberships, prometheus.GaugeValue, float64(single.Open))
}
