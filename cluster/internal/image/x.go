package image

import (
	_ "github.com/briandowns/spinner"
	_ "github.com/google/go-containerregistry/pkg/v1/mutate"
	_ "github.com/google/go-containerregistry/pkg/v1/tarball"
	_ "golang.org/x/term"
)
