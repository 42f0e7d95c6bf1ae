package telemetry

import (
	"context"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/telemetry/tracing"
)

// Traces are the flags that say where traces are sent. The other variables of OpenTelemetry are read by
// its library: OTEL_TRACES_SAMPLER, OTEL_SERVICE_NAME and so on.
type Traces struct {
	OTLPEndpoint    string `name:"otlp-endpoint" env:"OTEL_EXPORTER_OTLP_ENDPOINT" placeholder:"URL" help:"Send traces (OpenTelemetry, OTLP over HTTP) to this collector: http://127.0.0.1:4318. By default there are none. OTEL_TRACES_SAMPLER and the other variables of OpenTelemetry count, too."`
	OTLPHeaders     string `name:"otlp-headers" env:"OTEL_EXPORTER_OTLP_HEADERS" secret:"" placeholder:"NAME=VALUE" help:"Headers that log in at the collector, comma-separated. Use the variable: other users of the machine can see flags."`
	OTLPHeadersFile string `name:"otlp-headers-file" env:"OTEL_EXPORTER_OTLP_HEADERS_FILE" placeholder:"FILE" help:"File with these headers."`
}

const (
	// flushLimit bounds the sending of the last spans: a collector that is away does not hold up a stop.
	flushLimit = 2 * time.Second
	// mostLinks is the most requests to which a batch is linked: all of the largest one.
	mostLinks = 10_000
)

// Open returns a tracer that sends the spans of a program, and a function that sends the last ones and
// ends it. Without an endpoint the tracer is nil. Its errors match process.ErrUsage.
func (f Traces) Open(ctx context.Context, program string, log zerolog.Logger) (*tracing.Tracer, func(), error) {
	if f.OTLPEndpoint == "" || strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return nil, func() {}, nil
	}
	options, err := f.options()
	if err != nil {
		return nil, nil, err
	}
	if err := checkSampler(os.Getenv("OTEL_TRACES_SAMPLER"), os.Getenv("OTEL_TRACES_SAMPLER_ARG")); err != nil {
		return nil, nil, err
	}
	rarely := log.Sample(&zerolog.BurstSampler{Burst: 1, Period: 10 * time.Second})
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		rarely.Warn().Err(err).Msg("traces cannot be sent")
	}))
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, nil, err
	}
	about, err := resource.New(ctx, resource.WithAttributes(
		attribute.String("service.name", "eventio-"+program), attribute.String("service.version", process.ReadBuild().Version)),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, nil, process.Usage("OTEL_RESOURCE_ATTRIBUTES is not like key=value,key=value")
	}
	// One processor for both, so that there is one queue of spans.
	processor := sdktrace.NewBatchSpanProcessor(exporter)
	requests := sdktrace.NewTracerProvider(sdktrace.WithResource(about), sdktrace.WithSpanProcessor(processor))
	limits := sdktrace.NewSpanLimits()
	if os.Getenv("OTEL_SPAN_LINK_COUNT_LIMIT") == "" {
		limits.LinkCountLimit = mostLinks
	}
	batches := sdktrace.NewTracerProvider(sdktrace.WithResource(about), sdktrace.WithSpanProcessor(processor), sdktrace.WithRawSpanLimits(limits),
		sdktrace.WithSampler(batchSampler(os.Getenv("OTEL_TRACES_SAMPLER"))))
	log.Info().Str("sampler", os.Getenv("OTEL_TRACES_SAMPLER")).Msg("sending traces")
	end := func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushLimit)
		defer cancel()
		if err := processor.Shutdown(ctx); err != nil {
			log.Warn().Err(err).Msg("the last traces are not sent")
		}
		_ = exporter.Shutdown(ctx) // the processor has done it
	}
	return tracing.New(requests, batches), end, nil
}

// options checks the flags and returns them for the exporter.
func (f Traces) options() ([]otlptracehttp.Option, error) {
	u, err := url.Parse(f.OTLPEndpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, process.Usage("--otlp-endpoint is not a URL like http://127.0.0.1:4318, without a password, which goes into --otlp-headers")
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"} {
		if p := os.Getenv(name); p != "" && p != "http/protobuf" {
			return nil, process.Usage("%s must be http/protobuf, for which collectors listen on port 4318", name)
		}
	}
	var options []otlptracehttp.Option
	if os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		options = append(options, otlptracehttp.WithEndpointURL(strings.TrimRight(f.OTLPEndpoint, "/")+"/v1/traces"))
	}
	if f.OTLPHeaders == "" {
		return options, nil
	}
	headers := make(map[string]string)
	for pair := range strings.SplitSeq(f.OTLPHeaders, ",") {
		name, value, found := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !found || err != nil || name == "" {
			return nil, process.Usage("--otlp-headers is not like NAME=VALUE,NAME=VALUE; a percent sign or a comma in a value is written %%25 or %%2C")
		}
		headers[name] = value
	}
	return append(options, otlptracehttp.WithHeaders(headers)), nil
}

// samplers are the values of OTEL_TRACES_SAMPLER. Nothing changes them.
var samplers = []string{
	"always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio",
}

// checkSampler refuses what the library would take for "all of them".
func checkSampler(name, ratio string) error {
	known := name == ""
	for _, s := range samplers {
		known = known || strings.EqualFold(strings.TrimSpace(name), s)
	}
	if !known {
		return process.Usage("OTEL_TRACES_SAMPLER must be one of %s", strings.Join(samplers, ", "))
	}
	if !strings.HasSuffix(strings.ToLower(strings.TrimSpace(name)), "traceidratio") || ratio == "" {
		return nil
	}
	if r, err := strconv.ParseFloat(strings.TrimSpace(ratio), 64); err != nil || !(r >= 0 && r <= 1) {
		return process.Usage("OTEL_TRACES_SAMPLER_ARG must be a share from 0 to 1: 0.01 for one request in a hundred")
	}
	return nil
}

// batchSampler decides about batches that have a sampled request: that has been decided about already,
// by the same setting of the API, so only who wants no traces at all gets none.
func batchSampler(name string) sdktrace.Sampler {
	if strings.EqualFold(strings.TrimSpace(name), "always_off") {
		return sdktrace.NeverSample()
	}
	return sdktrace.AlwaysSample()
}
