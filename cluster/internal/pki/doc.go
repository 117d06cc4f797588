// Package pki makes the keys and certificates of one cluster: an authority of its own, and what that signs.
//
//	ca, err := pki.NewAuthority("kubernetes", now)
//	admin, err := ca.Issue(pki.Request{CommonName: "admin", Organization: "system:masters", Client: true})
//
// Nothing here touches the disk. Keys are ECDSA P-256: made in microseconds, and every client of Kubernetes takes them.
package pki
