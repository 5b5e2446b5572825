// Package deploy puts what is shipped beside the program to the test: image,
// chart, alerts, dashboard and runbook. It holds only tests; no package
// imports it.
//
//	names_test.go       variables, fields and metrics: the chart's and the program's are the same
//	metrics_test.go     metrics and their labels, in alerts and on the dashboard
//	runbook_test.go     whatever can go wrong by name has its place in the runbook
//	links_test.go       what the program is linked with
//	disaster_test.go    the runbook's ways out of disasters, on a real Kafka (tag kafka)
//	render_test.go      the chart as Helm renders it, taken by the program and by Kubernetes' schemas (tag chart)
//	kubernetes_test.go  installed, upgraded, rolled back, drained and removed on a real control plane (tag kubernetes)
//	image_test.go       the image: built twice, looked into (tag image)
//	container_test.go   the image at work: read-only, as nobody, killed, on a real Kafka (tag image)
//
// Without a tag the tests need nothing but Go. The make targets test-kafka,
// test-chart, test-kubernetes and test-image fetch or name what the others need. The chart's
// templates and alerts have tests of their own in helm/orderwalk/tests.
package deploy
