package update

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Version is MAJOR.MINOR.PATCH. Versions with anything behind it are not released.
type Version [3]int

// ParseVersion reads 1.2.3 or v1.2.3; each number has at most six digits.
func ParseVersion(s string) (v Version, err error) {
	if v, err = parseNumbers(strings.TrimPrefix(s, "v")); err != nil || strings.Count(s, ".") != 2 {
		return Version{}, fmt.Errorf("%.40q is no version of a release, such as 1.2.3", s)
	}
	return v, nil
}

// String is the version without a v.
func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]) }

// Compare is negative where v is older than w, 0 where they are the same.
func (v Version) Compare(w Version) int {
	return cmp.Or(cmp.Compare(v[0], w[0]), cmp.Compare(v[1], w[1]), cmp.Compare(v[2], w[2]))
}

// parseNumbers reads one to three numbers with dots between them; missing ones are 0.
func parseNumbers(s string) (v Version, err error) {
	parts := strings.Split(s, ".")
	if len(parts) > len(v) {
		return v, fmt.Errorf("%.40q has too many numbers", s)
	}
	for i, part := range parts {
		if len(part) > 6 || strings.Trim(part, "0123456789") != "" {
			return v, fmt.Errorf("%.40q is no version", s)
		}
		if v[i], err = strconv.Atoi(part); err != nil {
			return v, fmt.Errorf("%.40q is no version", s)
		}
	}
	return v, nil
}
