// Package cli is the command line of kubesdk: flags in, calls of the generator, messages and exit codes out.
// Progress, warnings and errors go to stderr; only what was asked for goes to stdout. The exit code is 0 for
// success, 1 for a failure and for a check that found changes, 2 for a mistake on the command line.
package cli
