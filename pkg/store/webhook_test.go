package store_test

import (
	"slices"
	"testing"

	"github.com/eventio/eventio/pkg/store"
)

func TestWebhooksOnceByID(t *testing.T) {
	var all []store.Webhook
	for _, b := range []byte{3, 1, 2, 1, 3} {
		all = append(all, store.Webhook{ID: store.ID{11: b}})
	}
	var got []byte
	for _, w := range store.OnceByID(all) {
		got = append(got, w.ID[11])
	}
	if !slices.Equal(got, []byte{1, 2, 3}) {
		t.Errorf("%v", got)
	}
}
