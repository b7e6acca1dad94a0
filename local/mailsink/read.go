package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"net/textproto"
	"strings"
)

// maxDepth is how deep parts may lie in parts.
const maxDepth = 8

// read takes a mail apart (RFC 5322, RFC 2045). Its text and its HTML are the first part of each kind; attachments nobody looks at
// here. A mail that can't be read is kept as text, as it came.
func read(raw []byte) mail {
	message, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return mail{Text: valid(raw), Fault: fmt.Sprintf("headers: %v", err)}
	}
	m := mail{
		Subject:   words(message.Header.Get("Subject")),
		MessageID: strings.Trim(message.Header.Get("Message-Id"), "<> "),
	}
	if err := m.part(textproto.MIMEHeader(message.Header), message.Body, 0); err != nil {
		m.Fault = err.Error()
		if m.Text == "" && m.HTML == "" {
			m.Text = valid(raw)
		}
	}
	return m
}

// part reads a part and those in it.
func (m *mail) part(header textproto.MIMEHeader, body io.Reader, depth int) error {
	if depth > maxDepth {
		return errors.New("parts lie too deep in each other")
	}
	media, parameters, err := mime.ParseMediaType(orElse(header.Get("Content-Type"), "text/plain"))
	if err != nil {
		return fmt.Errorf("content type: %w", err)
	}
	if strings.HasPrefix(media, "multipart/") {
		parts := multipart.NewReader(body, parameters["boundary"])
		for n := 0; ; n++ {
			part, err := parts.NextRawPart()
			if errors.Is(err, io.EOF) && n > 0 {
				return nil
			}
			if err != nil {
				return fmt.Errorf("parts: %w", err)
			}
			if err := m.part(part.Header, part, depth+1); err != nil {
				return err
			}
		}
	}
	into := map[string]*string{"text/plain": &m.Text, "text/html": &m.HTML}[media]
	if into == nil || *into != "" || strings.HasPrefix(header.Get("Content-Disposition"), "attachment") {
		return nil
	}
	text, err := io.ReadAll(decoded(body, header.Get("Content-Transfer-Encoding")))
	if err != nil {
		return fmt.Errorf("%s: %w", media, err)
	}
	*into = strings.ReplaceAll(valid(text), "\r\n", "\n")
	return nil
}

func decoded(body io.Reader, encoding string) io.Reader {
	switch strings.ToLower(encoding) {
	case "quoted-printable":
		return quotedprintable.NewReader(body)
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, body) // passes over line ends
	default:
		return body
	}
}

// words reads a header's encoded words (RFC 2047); one in an unknown character set stays as it is.
func words(header string) string {
	text, err := new(mime.WordDecoder).DecodeHeader(header)
	if err != nil {
		return header
	}
	return text
}

// valid is UTF-8, whatever came: JSON holds nothing else.
func valid(text []byte) string { return strings.ToValidUTF8(string(text), "\uFFFD") }

func orElse(given, otherwise string) string {
	if given == "" {
		return otherwise
	}
	return given
}
