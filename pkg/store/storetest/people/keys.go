package people

import (
	"bytes"
	"sync"
	"testing"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

func testSigningKey(t *testing.T, target storetest.Target) {
	handles := []store.Store{target.Store, target.Again(t), target.Again(t)}
	keys := make([]store.SigningKey, 12)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			id := store.NewID()
			var err error
			keys[i], err = handles[i%len(handles)].SigningKey(storetest.Context(t), store.SigningKey{
				ID: id.Hex(), Secret: append(id[:], 0, 0xff), CreatedAt: storetest.Now(),
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	again, err := target.Again(t).SigningKey(storetest.Context(t), store.SigningKey{ID: "late", Secret: []byte("late"), CreatedAt: storetest.Now()})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range append(keys, again) {
		if k.ID != keys[0].ID || !bytes.Equal(k.Secret, keys[0].Secret) || !k.CreatedAt.Equal(storetest.Now()) {
			t.Fatalf("processes disagree: %s and %s", k.ID, keys[0].ID)
		}
	}
	if len(keys[0].Secret) != 14 || keys[0].ID == "late" {
		t.Fatalf("the key is %+v", keys[0])
	}
}
