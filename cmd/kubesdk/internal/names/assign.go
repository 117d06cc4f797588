package names

import (
	"cmp"
	"slices"
	"strconv"
	"unicode"
)

// Claim is one type that wants a name.
type Claim struct {
	// Key is unique among the claims; it breaks ties, so it must not depend on the order of the input.
	Key string
	// Candidates are the names that fit, the shortest first. The last one is made unique with a number if it
	// must be.
	Candidates []string
	// Pinned is the name in the lock file, if any. It is kept if it is free.
	Pinned string
}

// Assign gives every claim a name of its own that is not reserved. Two claims that want the same name both
// move on to their next candidate, so neither depends on which came first.
func Assign(reserved map[string]bool, claims []Claim) []string {
	out := make([]string, len(claims))
	taken := make(map[string]bool, len(reserved)+len(claims))
	for name := range reserved {
		taken[name] = true
	}
	order := make([]int, len(claims))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(claims[a].Key, claims[b].Key) })
	for _, i := range order {
		if name := claims[i].Pinned; name != "" && !taken[name] {
			out[i], taken[name] = name, true
		}
	}
	next := make([]int, len(claims))
	for open := true; open; {
		open = false
		wanted := map[string][]int{}
		for _, i := range order {
			if out[i] == "" {
				name := claims[i].Candidates[min(next[i], len(claims[i].Candidates)-1)]
				wanted[name] = append(wanted[name], i)
			}
		}
		for name, who := range wanted {
			last := slices.IndexFunc(who, func(i int) bool { return next[i] >= len(claims[i].Candidates)-1 }) >= 0
			switch {
			case len(who) == 1 && !taken[name]:
				out[who[0]], taken[name] = name, true
			case last:
				for _, i := range who {
					if next[i] >= len(claims[i].Candidates)-1 {
						continue
					}
					next[i]++
					open = true
				}
			default:
				open = true
				for _, i := range who {
					next[i]++
				}
			}
		}
	}
	for _, i := range order {
		if out[i] == "" {
			out[i] = Free(taken, claims[i].Candidates[len(claims[i].Candidates)-1])
		}
	}
	return out
}

// Free returns name, with the first number from 2 on that makes it free, and takes it.
func Free(taken map[string]bool, name string) string {
	out := name
	for n := 2; taken[out]; n++ {
		out = name + strconv.Itoa(n)
	}
	taken[out] = true
	return out
}

// Members names things that share a scope, such as the fields of a struct, by their API names. Where two
// names meet, the one that is already written in camel case keeps the plain name and the others get a
// number; pinned names from the lock file come first. The result maps API name to Go name; collisions holds
// those entries that depended on another one, which is what a lock must keep.
func Members(reserved map[string]bool, pinned map[string]string, goName func(string) string, apiNames []string) (assigned, collisions map[string]string) {
	taken := make(map[string]bool, len(reserved)+len(apiNames))
	for name := range reserved {
		taken[name] = true
	}
	assigned, collisions = make(map[string]string, len(apiNames)), map[string]string{}
	count := map[string]int{}
	for _, name := range apiNames {
		count[goName(name)]++
		if pin := pinned[name]; pin != "" && !taken[pin] {
			assigned[name], taken[pin] = pin, true
			collisions[name] = pin
		}
	}
	sorted := slices.Clone(apiNames)
	slices.SortFunc(sorted, func(a, b string) int {
		return cmp.Or(cmp.Compare(oddness(a), oddness(b)), cmp.Compare(a, b))
	})
	for _, name := range sorted {
		if assigned[name] != "" {
			continue
		}
		plain := goName(name)
		got := Free(taken, plain)
		assigned[name] = got
		if count[plain] > 1 || got != plain {
			collisions[name] = got
		}
	}
	return assigned, collisions
}

// oddness is 0 for lowerCamel names, 1 for UpperCamel ones and 2 for all others.
func oddness(name string) int {
	for _, r := range name {
		if r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return 2
		}
	}
	if name != "" && name[0] >= 'a' && name[0] <= 'z' {
		return 0
	}
	return 1
}
