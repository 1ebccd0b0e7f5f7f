package secret

import "encoding/json"

// Headers are sent to somebody, by name. They are there for a credential mostly: their values
// are not shown.
type Headers map[string]string

// MarshalJSON implements json.Marshaler, with stars.
func (h Headers) MarshalJSON() ([]byte, error) {
	shown := make(map[string]String, len(h))
	for name, value := range h {
		shown[name] = String(value)
	}
	return json.Marshal(shown)
}
