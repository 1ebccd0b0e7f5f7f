package rule

// nearest returns the name that takes the fewest edits to reach from word,
// or "" when every name differs in more than half of its letters.
func nearest(word string, names []string) string {
	best, fewest := "", 0
	for _, name := range names {
		d := edits(word, name)
		if d <= len(name)/2 && (best == "" || d < fewest) {
			best, fewest = name, d
		}
	}
	return best
}

// edits is the Levenshtein distance of two ASCII words, regardless of case.
func edits(a, b string) int {
	a, b = asciiLower(a), asciiLower(b)
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
