package api

import (
	"net/http"

	"github.com/klauspost/compress/gzhttp"
	"github.com/klauspost/compress/gzip"
)

// compressAbove is the least size of an answer that is worth compressing, in bytes.
const compressAbove = 1 << 10

// compressing wraps handlers of reads. Those of seats stay without: their answers are small
// and their time is what matters.
func compressing() func(http.Handler) http.Handler {
	// Without Zstandard, whose window would take megabytes for each list that is streamed.
	wrap, err := gzhttp.NewWrapper(gzhttp.MinSize(compressAbove), gzhttp.CompressionLevel(gzip.BestSpeed), gzhttp.EnableZstd(false))
	if err != nil { // the options above are wrong
		panic("api: compress answers: " + err.Error())
	}
	return func(next http.Handler) http.Handler { return wrap(next) }
}
