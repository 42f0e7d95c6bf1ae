package text

import "testing"

// BenchmarkForms measures what a sign-up and a new event pay.
func BenchmarkForms(b *testing.B) {
	for name, form := range map[string]func() error{
		"line_ascii":    func() error { _, err := Line("A concert in the garden behind the house", 200); return err },
		"line_umlauts":  func() error { _, err := Line("Frühlingsgrüße aus München, Ärger über Öl", 200); return err },
		"address_ascii": func() error { _, _, err := Address("ada.lovelace@example.org"); return err },
		"address_idn":   func() error { _, _, err := Address("jürgen@bücher.example"); return err },
		"password":      func() error { _, err := Password("correct horse bättery"); return err },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := form(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
