package image

import (
	_ "github.com/google/go-cmp/cmp"
)
