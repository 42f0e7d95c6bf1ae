package input

import (
	"errors"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// errNotWhole tells that a number has a fraction, or is far beyond all limits.
var errNotWhole = errors.New("not a whole number of 64 bits")

// wholeNumber returns the value of a JSON number (RFC 8259, section 6) when that is a whole one of 64
// bits, however it is written: 10, 10.0, 1e1 and 100E-1 are the same number, and JSON Schema calls each
// of them an integer. It does not round.
func wholeNumber(text string) (int64, error) {
	mantissa, exponent := text, "0"
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		mantissa, exponent = text[:i], text[i+1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	whole, negative := strings.CutPrefix(whole, "-")
	digits := strings.TrimLeft(whole+fraction, "0")
	significant := strings.TrimRight(digits, "0")
	if significant == "" {
		return 0, nil
	}
	// significant times ten to the power of zeros
	shift, err := strconv.ParseInt(exponent, 10, 32)
	zeros := shift - int64(len(fraction)) + int64(len(digits)-len(significant))
	const most = 19 // digits of the largest number
	if err != nil || zeros < 0 || zeros > most {
		return 0, errNotWhole
	}
	significant += strings.Repeat("0", int(zeros))
	if negative {
		significant = "-" + significant
	}
	return strconv.ParseInt(significant, 10, 64)
}

// wholeNumbers decodes every int64 by wholeNumber. It is made once, because it remembers of each type that it meets whether
// it is for that. Nothing else changes it.
var wholeNumbers = sync.OnceValue(func() json.Options {
	return json.WithUnmarshalers(json.UnmarshalFromFunc(func(from *jsontext.Decoder, to *int64) error {
		if from.PeekKind() != '0' {
			return errors.ErrUnsupported // null, and what is no number
		}
		value, err := from.ReadValue()
		if err != nil {
			return err
		}
		*to, err = wholeNumber(string(value))
		return err
	}))
})
