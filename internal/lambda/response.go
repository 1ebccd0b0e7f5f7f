package lambda

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"fairway/internal/headername"
)

// Answer is the response that a function has asked for.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// longestHead bounds the names and values of the fields that a function answers with.
const longestHead = 64 << 10

// ReadV2 reads the result of a function by version 2.0: an object with statusCode, headers, cookies, body
// and isBase64Encoded; or JSON that has no statusCode, which is the body of a 200, a text as it is.
func ReadV2(text []byte) (*Answer, error) {
	if !json.Valid(text) {
		return nil, malformed("it is no JSON")
	}
	said := members(text)
	if said["statusCode"] == nil {
		body := bytes.TrimSpace(text)
		var whole string
		if json.Unmarshal(text, &whole) == nil && body[0] == '"' {
			body = []byte(whole)
		}
		return wrap(http.StatusOK, http.Header{}, body, "application/json"), nil
	}
	return read(said, "text/plain; charset=utf-8")
}

// ReadV1 reads the result of a function by version 1.0: an object with statusCode, headers,
// multiValueHeaders, body and isBase64Encoded.
func ReadV1(text []byte) (*Answer, error) {
	if !json.Valid(text) {
		return nil, malformed("it is no JSON")
	}
	said := members(text)
	if said["statusCode"] == nil {
		return nil, malformed("it is no object with a statusCode")
	}
	return read(said, "application/json")
}

// readPrelude reads the head of what is streamed.
func readPrelude(text []byte) (*Answer, error) {
	said := members(text)
	if said["statusCode"] == nil {
		said["statusCode"] = json.RawMessage("200")
	}
	delete(said, "body")
	a, err := read(said, "")
	if err != nil {
		return nil, err
	}
	if a.Body = nil; a.Header["Content-Type"] == nil {
		a.Header["Content-Type"] = []string{"application/octet-stream"}
	}
	return a, nil
}

// members are those of an object, by their exact names; others have none.
func members(text []byte) map[string]json.RawMessage {
	said := map[string]json.RawMessage{}
	if json.Unmarshal(text, &said) != nil || said == nil {
		return map[string]json.RawMessage{}
	}
	for name, value := range said {
		if string(value) == "null" {
			delete(said, name)
		}
	}
	return said
}

func malformed(why string, args ...any) *Error {
	return &Error{Status: http.StatusBadGateway, Cause: "the answer of the function: " + fmt.Sprintf(why, args...)}
}

// read makes the answer; kind is the Content-Type of one that names none.
func read(said map[string]json.RawMessage, kind string) (*Answer, error) {
	status, err := readStatus(said["statusCode"])
	if err != nil {
		return nil, err
	}
	header, err := readHeader(said)
	if err != nil {
		return nil, err
	}
	var body string
	if text := said["body"]; text != nil && json.Unmarshal(text, &body) != nil {
		return nil, malformed("body: is no text")
	}
	var encoded bool
	if text := said["isBase64Encoded"]; text != nil && json.Unmarshal(text, &encoded) != nil {
		return nil, malformed("isBase64Encoded: is neither true nor false")
	}
	raw := []byte(body)
	if encoded {
		if raw, err = base64.StdEncoding.DecodeString(body); err != nil {
			return nil, malformed("body: is no base64")
		}
	}
	return wrap(status, header, raw, kind), nil
}

// readStatus reads a number, or a text that has one. Statuses below 200 are none of a function's: 101
// would take over the connection.
func readStatus(text json.RawMessage) (int, error) {
	var quoted string
	if json.Unmarshal(text, &quoted) == nil {
		text = json.RawMessage(quoted)
	}
	status, err := strconv.Atoi(string(text))
	if err != nil || status < 200 || status > 599 {
		return 0, malformed("statusCode: %s is not from 200 to 599", shown(string(text)))
	}
	return status, nil
}

// readHeader puts headers, multiValueHeaders and cookies together. Where both name a field,
// multiValueHeaders counts.
func readHeader(said map[string]json.RawMessage) (http.Header, error) {
	single, multi, cookies := map[string]json.RawMessage{}, map[string][]json.RawMessage{}, []string{}
	for name, into := range map[string]any{"headers": &single, "multiValueHeaders": &multi, "cookies": &cookies} {
		if text := said[name]; text != nil && json.Unmarshal(text, into) != nil {
			return nil, malformed("%s: is of another type", name)
		}
	}
	all := make(map[string][]json.RawMessage, len(single)+len(multi))
	for _, name := range slices.Sorted(maps.Keys(single)) {
		all[http.CanonicalHeaderKey(name)] = []json.RawMessage{single[name]}
	}
	for _, name := range slices.Sorted(maps.Keys(multi)) {
		all[http.CanonicalHeaderKey(name)] = multi[name]
	}
	h, length := make(http.Header, len(all)), 0
	for name, values := range all {
		for _, value := range values {
			if string(value) == "null" {
				continue
			}
			text, ok := scalar(value)
			if !ok || !headername.Valid(name) || !headername.ValidValue(text) {
				return nil, malformed("headers: %s: no field can be called so, or have such a value", shown(name))
			}
			h[name] = append(h[name], text)
			length += len(name) + len(text)
		}
	}
	for _, cookie := range cookies {
		if !headername.ValidValue(cookie) {
			return nil, malformed("cookies: no field can have such a value")
		}
		h["Set-Cookie"] = append(h["Set-Cookie"], cookie)
		length += len(cookie)
	}
	if length > longestHead {
		return nil, malformed("headers: they have more than %d bytes", longestHead)
	}
	return h, nil
}

// scalar is a text, a number or a boolean, as text.
func scalar(value json.RawMessage) (string, bool) {
	var text string
	switch {
	case len(value) == 0 || strings.IndexByte("{[n", value[0]) >= 0:
		return "", false
	case value[0] == '"':
		err := json.Unmarshal(value, &text)
		return text, err == nil
	}
	return string(value), true
}

// wrap leaves out what functions have no say in: fields of one connection, and the length, which is that
// of the body (RFC 9110, section 7.6.1; RFC 9112, section 6).
func wrap(status int, header http.Header, body []byte, kind string) *Answer {
	headername.RemoveHop(header)
	delete(header, "Content-Length")
	if header["Content-Type"] == nil && len(body) > 0 && kind != "" {
		header["Content-Type"] = []string{kind}
	}
	return &Answer{Status: status, Header: header, Body: body}
}
