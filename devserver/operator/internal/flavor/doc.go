// Package flavor says in the status of DevServerFlavors whether a node fits them, and whether they are valid: no more than
// one of them may be the default.
package flavor
