package typeinfo

import (
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// ByKind looks the table up the other way round.
func ByKind(gvk schema.GroupVersionKind) (Info, bool) {
	for name, e := range builtin {
		kind := name[strings.LastIndexByte(name, '.')+1:]
		if e.group == gvk.Group && e.version == gvk.Version && kind == gvk.Kind {
			return Info{Kind: gvk, Plural: e.plural, Namespaced: e.namespaced, Builtin: true}, true
		}
	}
	return Info{}, false
}
