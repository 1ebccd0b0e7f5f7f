// Package nearest finds the right name that somebody probably meant: the
// suggestion shown with every mistyped label, option, matcher and reference.
package nearest

import "strings"

// Name returns the candidate that is most likely meant by got, or "" when none
// is close. Case does not count. A candidate is close when few letters differ
// (about one in three, swapped neighbours counting once), or when one of the two
// names begins with the other.
func Name(got string, candidates []string) string {
	want := strings.ToLower(got)
	best, bestDistance := "", len(want)/3+2
	for _, candidate := range candidates {
		c := strings.ToLower(candidate)
		d := distance(want, c)
		if d > 2 && (strings.HasPrefix(c, want) || strings.HasPrefix(want, c)) && min(len(c), len(want)) >= 3 {
			d = 2
		}
		if d < bestDistance || d == bestDistance && best != "" && candidate < best {
			best, bestDistance = candidate, d
		}
	}
	return best
}

// Typo is Name for names that may have nothing to do with the candidates: only one
// letter in four may differ, and one name that begins with the other is not close.
func Typo(got string, candidates []string) string {
	want := strings.ToLower(got)
	best, fewest := "", len(want)/4+1
	for _, candidate := range candidates {
		if d := distance(want, strings.ToLower(candidate)); d < fewest {
			best, fewest = candidate, d
		}
	}
	return best
}

// distance is the optimal string alignment distance (Damerau-Levenshtein without
// repeated edits of one substring), in bytes.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return max(len(a), len(b))
	}
	var before, last, now [65]int
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		now[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
		before, last = last, now
	}
	return last[len(b)]
}
