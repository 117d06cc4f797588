// Package cli is the command line of localkube: flags, progress, tables and exit codes around package cluster.
package cli
