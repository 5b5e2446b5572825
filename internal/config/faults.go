package config

import (
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is one fault of the configuration.
type Fault struct {
	// Where is the variable, or the field of the shops file: shops[3].app_id.
	Where string
	// Problem describes the fault. It quotes the value, but never a secret.
	Problem string
	// Allowed describes a valid value.
	Allowed string
	// Line is the line in the shops file, that of the shop if a field is missing; 0 =
	// the fault is elsewhere, or Problem names the line.
	Line int
	// Shop and AppID are the name and the app ID that the file gives the shop; empty =
	// none, or it could be a misplaced secret.
	Shop, AppID string
}

// String returns the fault in one line.
func (f Fault) String() string {
	between := " "
	if strings.HasPrefix(f.Problem, `"`) || strings.HasPrefix(f.Problem, "[") {
		between = ": "
	}
	return f.Where + inFile(f.Line, f.Shop, f.AppID) + between + f.Problem + "; " + f.Allowed
}

// Error is a configuration with faults. It holds all that one pass could find.
type Error struct{ Faults []Fault }

// Error lists the faults, a line each, but not more than a log line can hold.
func (e *Error) Error() string {
	lines := make([]string, 0, len(e.Faults)+1)
	switch n := len(e.Faults); {
	case n == 1:
		lines = append(lines, "1 fault in the configuration:")
	case n > maxFaults:
		lines = append(lines, fmt.Sprintf("more than %d faults in the configuration:", maxFaults))
	default:
		lines = append(lines, fmt.Sprintf("%d faults in the configuration:", n))
	}
	for _, f := range e.Faults[:min(len(e.Faults), listedFaults)] {
		lines = append(lines, "  "+f.String())
	}
	if more := min(len(e.Faults), maxFaults) - listedFaults; more > 0 {
		lines = append(lines, fmt.Sprintf("  … and %d more: `orderwalk check` lists them", more))
	}
	return strings.Join(lines, "\n")
}

// faults collects the faults while values are converted. A failed conversion adds
// a fault and returns the zero value, so that the other values are checked too.
type faults []Fault

const (
	// maxFaults bounds the collection: one for each of ten thousand shops.
	maxFaults = 10_000
	// listedFaults bounds the text of an Error.
	listedFaults = 200
)

func (f *faults) add(where, problem, allowed string) {
	f.addFault(Fault{Where: where, Problem: problem, Allowed: allowed})
}

func (f *faults) addFault(fault Fault) {
	if len(*f) > maxFaults {
		return
	}
	*f = append(*f, fault)
}

func quote(given string) string { return shown(given) + notValid }

// unknown rejects variables with our prefix that do not exist: they would be
// ignored silently.
func (f *faults) unknown(environ []string) {
	known := map[string]bool{}
	var names []string
	for _, v := range Variables() {
		known[v.Name] = true
		names = append(names, strings.TrimPrefix(v.Name, prefix+"_"))
	}
	var strange []string
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		switch {
		case known[name]:
		case strings.HasPrefix(name, prefix+"_"):
			strange = append(strange, name)
		default:
			f.misspelt(name, names)
		}
	}
	slices.Sort(strange)
	for _, name := range strange {
		allowed := "remove it, or see `orderwalk config` for every name"
		if near := Nearest(strings.TrimPrefix(name, prefix+"_"), names); near != "" {
			allowed = "did you mean " + variable(near) + "?"
		}
		f.add(name, "is not a variable of this version", allowed)
	}
}

func (f *faults) integer(name, given string, lowest, highest int) int {
	if given == "" {
		return 0
	}
	n, err := strconv.Atoi(given)
	if err != nil || n < lowest || n > highest {
		f.add(variable(name), quoteNumber(given), fmt.Sprintf("give a whole number from %d to %d", lowest, highest))
		return 0
	}
	return n
}

func (f *faults) duration(name, given string, lowest, highest time.Duration) time.Duration {
	d, err := time.ParseDuration(given)
	if err != nil || d < lowest || d > highest {
		f.add(variable(name), quoteNumber(given), "give a duration "+between(lowest, highest))
		return 0
	}
	return d
}

// wholeSeconds converts durations that are sent to the API, whose times are
// seconds.
func (f *faults) wholeSeconds(name, given string, lowest, highest time.Duration) time.Duration {
	d, err := time.ParseDuration(given)
	if err != nil || d < lowest || d > highest || d%time.Second != 0 {
		f.add(variable(name), quoteNumber(given), "give whole seconds "+between(lowest, highest))
		return 0
	}
	return d
}

// between gives the bounds of a duration, and examples between them.
func between(lowest, highest time.Duration) string {
	var examples []string
	for _, d := range []time.Duration{30 * time.Second, 10 * time.Minute, 24 * time.Hour} {
		if lowest <= d && d <= highest {
			examples = append(examples, short(d))
		}
	}
	text := fmt.Sprintf("from %s to %s", short(lowest), short(highest))
	if n := len(examples) - 1; n > 0 {
		text += ", such as " + strings.Join(examples[:n], ", ") + " or " + examples[n]
	}
	return text
}

// short formats a duration without zero units: 168h and not 168h0m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func (f *faults) boolean(name, given string) bool {
	b, err := strconv.ParseBool(given)
	if err != nil {
		f.add(variable(name), quoteWord(given, []string{"true", "false", "yes", "no", "on", "off", "enabled", "disabled"}), "give true or false")
	}
	return b
}

// choice accepts one of the allowed words. The later ones are reported as not
// supported by this version.
func (f *faults) choice(name, given string, allowed, later []string) string {
	return f.choiceAt(variable(name), given, allowed, later)
}

func (f *faults) choiceAt(where, given string, allowed, later []string) string {
	if slices.Contains(allowed, given) {
		return given
	}
	list := allowed
	if list[0] == "" {
		list = list[1:]
	}
	hint := "give " + orList(list)
	if slices.Contains(later, given) {
		f.add(where, shown(given)+" is not supported by this version", hint)
	} else {
		f.add(where, quoteWord(given, allowed), hint)
	}
	return ""
}

func orList(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

func (f *faults) level(name, given string) slog.Level {
	levels := map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}
	l, ok := levels[strings.ToLower(given)]
	if !ok {
		f.add(variable(name), quoteWord(given, []string{"debug", "info", "warn", "warning", "error", "fatal", "trace", "notice"}), "give debug, info, warn or error")
	}
	return l
}

func (f *faults) brokers(name, given string) []string {
	const allowed = "give host:port of one or more brokers, separated by commas"
	if given == "" {
		f.add(variable(name), "is not set", allowed+"; `orderwalk dev` brings its own")
		return nil
	}
	var brokers []string
	for b := range strings.SplitSeq(given, ",") {
		b = strings.TrimSpace(b)
		host, port, err := net.SplitHostPort(b)
		if n, convErr := strconv.Atoi(port); err != nil || convErr != nil || host == "" || n < 1 || n > 65535 {
			f.add(variable(name), shownAddress(b)+" is not valid", allowed)
			continue
		}
		brokers = append(brokers, b)
	}
	return brokers
}

// listen returns the address and its port.
func (f *faults) listen(name, given string) (addr, port string) {
	_, port, err := net.SplitHostPort(given)
	if n, convErr := strconv.Atoi(port); err != nil || convErr != nil || n < 0 || n > 65535 {
		f.add(variable(name), shownAddress(given)+" is not valid", "give host:port or :port")
		return "", ""
	}
	return given, port
}

func (f *faults) apiURL(name, given string) string {
	u, err := url.Parse(given)
	switch {
	case err == nil && u.User != nil:
		// Not quoted: the text before the @ may be a password.
		f.add(variable(name), "has a user name in it", "give scheme and host only")
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		f.add(variable(name), shownAddress(given)+" is not valid", "give an address such as https://api.weixin.qq.com")
	default:
		return strings.TrimRight(given, "/")
	}
	return ""
}

// tokenURL accepts the address of an authorization server.
func (f *faults) tokenURL(name, given string) string {
	u, err := url.Parse(given)
	switch {
	case err == nil && u.User != nil:
		f.add(variable(name), "has a user name in it", "give client ID and secret by their variables")
	case err == nil && u.RawQuery != "":
		// Not quoted: it may hold a key.
		f.add(variable(name), "has a query", "give the address without the question mark and the text after it")
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.Fragment != "":
		f.add(variable(name), shownAddress(given)+" is not valid", "give an address such as https://login.example.com/oauth2/token")
	default:
		return given
	}
	return ""
}

// readable accepts the path of a file that can be opened, or no path.
func (f *faults) readable(name, path string) string {
	if path == "" {
		return ""
	}
	file, err := os.Open(path)
	if err != nil {
		f.add(variable(name), fileFault(path, err).Error(), "give a file that can be read")
		return ""
	}
	_ = file.Close() // opened only to check that it is readable
	return path
}

// rateAt accepts a number of calls a second.
func (f *faults) rateAt(where, given string) float64 {
	r, err := strconv.ParseFloat(given, 64)
	if err != nil || !(r > 0) || math.IsInf(r, 0) || r > 10000 {
		f.add(where, quoteNumber(given), "give a number above 0, at most 10000")
		return 0
	}
	return r
}

// share accepts a fraction from 0 to 1.
func (f *faults) share(name, given string) float64 {
	r, err := strconv.ParseFloat(given, 64)
	if err != nil || !(r >= 0 && r <= 1) {
		f.add(variable(name), quoteNumber(given), "give a number from 0 to 1")
		return 0
	}
	return r
}
