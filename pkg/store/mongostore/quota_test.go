package mongostore

import (
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// TestOldQuotasExpire checks until when the server keeps what was used in a day: through the next one.
func TestOldQuotasExpire(t *testing.T) {
	s := open(t, testenv.MongoDB(t), "quotas")
	use := store.QuotaUse{Subject: "ada", At: storetest.Now(), Amounts: []store.QuotaAmount{{Kind: "events", Amount: 1, Limit: 3}}}
	for range 2 {
		if err := s.UseQuota(t.Context(), use); err != nil {
			t.Fatal(err)
		}
	}
	var stored struct {
		ExpiresAt time.Time        `bson:"expires_at"`
		Used      map[string]int64 `bson:"used"`
	}
	if err := s.users.Database().Collection("quotas").FindOne(t.Context(), bson.D{}).Decode(&stored); err != nil {
		t.Fatal(err)
	}
	if want := use.Day().Add(48 * time.Hour); !stored.ExpiresAt.Equal(want) || stored.Used["events"] != 2 {
		t.Errorf("stored is %+v, want it to expire at %v", stored, want)
	}
}
