package simulator

// Everything that looks random is a hash of the seed and the subject, so an answer
// does not depend on earlier calls, and the same orders can be created again.

// mix hashes numbers, each step as in splitmix64.
func mix(parts ...uint64) uint64 {
	h := uint64(0x9e3779b97f4a7c15)
	for _, p := range parts {
		h ^= p
		h += 0x9e3779b97f4a7c15
		h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
		h = (h ^ h>>27) * 0x94d049bb133111eb
		h ^= h >> 31
	}
	return h
}

// mixString hashes a text (FNV-1a).
func mixString(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// unit maps a hash to [0, 1).
func unit(h uint64) float64 { return float64(h>>11) / (1 << 53) }

// below maps a hash to an integer in [0, n); 0 if n is below 1.
func below(h uint64, n int64) int64 {
	if n < 1 {
		return 0
	}
	return int64(h>>1) % n
}

// count maps a hash to an integer between 0 and about twice mean, mean on average.
func count(h uint64, mean float64) int {
	if mean <= 0 {
		return 0
	}
	x := 2 * mean * unit(h)
	n := int(x)
	if unit(mix(h)) < x-float64(n) {
		n++
	}
	return n
}
