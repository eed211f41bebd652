// Command peers measures how fast Haiku and other task queues do the same work on this machine; README.md in the folder
// above says how to run it, what the figures mean and what to keep in mind when they are read.
//
// A system is a file with a Driver (driver.go), which starts the servers and gives the harness producers and workers,
// and its setups, which are the ways to configure it. jobs.go chooses what is measured, measure.go does one run from an
// empty folder to stopped servers, track.go follows every task from submit to acknowledgement, table.go prints. A run in
// which a task is lost, comes with a wrong payload or is left over fails.
package main
