package forwarded

import "strings"

// element is what one gateway wrote into Forwarded: pairs of names, in lower case, and values.
type element struct {
	text  string
	pairs map[string]string
	bad   bool // it is not of the grammar
}

func (e element) get(name string) (value string, ok bool) {
	value, ok = e.pairs[name]
	return value, ok
}

// elements are those of all lines, in order.
type elements []element

// at returns the element that is n from the right, or the first one.
func (e elements) at(n int) element {
	if len(e) == 0 {
		return element{}
	}
	return e[max(0, len(e)-1-n)]
}

// hops returns the hops from the right. There are none when no element names one: then the gateways
// tell other things only.
func (e elements) hops() []hop {
	named := false
	hops := make([]hop, 0, len(e))
	for i := range e {
		element := e[len(e)-1-i]
		text, ok := element.get("for")
		named = named || ok || element.bad
		h := hop{header: standard, text: element.text}
		if ok {
			h.address, h.ok = parseNode(text)
		}
		hops = append(hops, h)
	}
	if !named {
		return nil
	}
	return hops
}

// parseForwarded reads the lines of the Forwarded header (RFC 7239, section 4). It is generous with
// blanks and with IPv6 addresses that are not quoted, as gateways write them. A line that is not of the grammar
// is one bad element: where a quote does not end, nobody can say what the gateway wrote and what its client did.
func parseForwarded(lines []string) elements {
	var all elements
	for _, line := range lines {
		parsed, ok := parseLine(line)
		if !ok {
			parsed = elements{{text: line, bad: true}}
		}
		all = append(all, parsed...)
	}
	return all
}

func parseLine(line string) (elements, bool) {
	var all elements
	e := element{pairs: map[string]string{}}
	begin, rest := line, line
	for {
		rest = strings.TrimLeft(rest, " \t")
		if rest != "" && rest[0] != ';' && rest[0] != ',' {
			name, after, ok := strings.Cut(rest, "=")
			if !ok || !isToken(name) {
				return nil, false
			}
			value, after, ok := parseValue(after)
			name = strings.ToLower(name)
			if _, twice := e.pairs[name]; twice || !ok {
				return nil, false
			}
			e.pairs[name] = value
			rest = strings.TrimLeft(after, " \t")
		}
		switch {
		case rest != "" && rest[0] == ';':
			rest = rest[1:]
			continue
		case rest != "" && rest[0] != ',':
			return nil, false // something stands behind a value
		}
		if len(e.pairs) > 0 {
			e.text = strings.TrimSpace(begin[:len(begin)-len(rest)])
			all = append(all, e)
			e = element{pairs: map[string]string{}}
		}
		if rest == "" {
			return all, true
		}
		rest = rest[1:]
		begin = rest
	}
}

// parseValue reads a quoted string (RFC 9110, section 5.6.4), or whatever else stands before the next sign.
func parseValue(text string) (value, rest string, ok bool) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexAny(text, ";, \t\"")
		if end < 0 {
			end = len(text)
		}
		return text[:end], text[end:], true
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '"':
			return b.String(), text[i+1:], true
		case '\\':
			if i++; i == len(text) {
				return "", "", false
			}
		}
		b.WriteByte(text[i])
	}
	return "", "", false
}

func isToken(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return !isAlphanumeric(r) && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}
