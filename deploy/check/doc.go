// Package check sees that the dashboards in deploy/grafana and the alert rules in deploy/prometheus fit what a node
// serves: its tests start a cluster, have it work, and look for every metric, label and label value of every expression.
//
// It is a module of its own because it parses PromQL with Prometheus's own parser, which no user of Haiku needs.
package check
