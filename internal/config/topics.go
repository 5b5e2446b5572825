package config

import "strings"

// topicName accepts the names that Kafka allows for a topic.
func (f *faults) topicName(name, given string) string { return f.topicNameAt(variable(name), given) }

const topicText = "give up to 249 of the characters a–z, A–Z, 0–9, dot, underscore and dash"

func (f *faults) topicNameAt(where, given string) string {
	switch {
	case !topicLegal(given):
		f.add(where, quote(given), topicText)
	case kafkasOwn(given):
		f.add(where, quote(given), topicOwn)
	default:
		return given
	}
	return ""
}

// topicTemplateAt is topicNameAt for a name that may have {app_id} in it.
func (f *faults) topicTemplateAt(where, given string) string {
	switch {
	case !topicLegal(strings.ReplaceAll(given, appIDMark, "wx0123456789abcdef")):
		f.add(where, quote(given), topicText+"; "+appIDMark+" stands for the shop's app ID")
	case kafkasOwn(given):
		f.add(where, quote(given), topicOwn)
	default:
		return given
	}
	return ""
}

const topicOwn = "give another name: this is a topic of Kafka itself, which clients cannot write to"

// kafkasOwn reports whether a topic belongs to the brokers.
func kafkasOwn(name string) bool {
	return name == "__consumer_offsets" || name == "__transaction_state" || name == "__share_group_state" || name == "__cluster_metadata"
}

func topicLegal(given string) bool {
	legal := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r)
	}
	return given != "" && len(given) <= 249 && given != "." && given != ".." &&
		!strings.ContainsFunc(given, func(r rune) bool { return !legal(r) })
}
