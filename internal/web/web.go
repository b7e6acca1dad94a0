// Package web is what the pages for people share, the storefront's and the console's: a session in an encrypted cookie, calls of the public
// API in a person's name, templates, static files, headers that browsers heed, and refusals in words.
//
//	site, err := web.NewSite(web.Options{Config: config.Web, Proxies: config.Limits.Proxies, Session: "larder-session", Files: files})
//	site.Handle("GET /orders", func(w http.ResponseWriter, r *http.Request) error {
//		if web.PersonOf(r.Context()) == nil {
//			return web.ErrSignIn
//		}
//		orders, err := site.API.ListOrders(r.Context(), &orderpb.ListOrdersRequest{})
//		if err != nil {
//			return err // becomes a page of words (words.go)
//		}
//		return site.Render(w, r, http.StatusOK, "orders", orders)
//	})
//	app.Handle("GET /", site)
//	app.Handle("POST /", site)
//
// The rules:
//
//   - A site knows nothing that the API doesn't tell the person it calls for. It has no rights of its own, and no store but the browser's.
//   - A request's session is refreshed before its page is made, once for all tabs that ask together (session.go).
//   - A page is made in memory and sent whole. An error half way becomes an error's page, never half a page (pages.go).
//   - A request that changes something comes from a page of ours (CrossOriginProtection, site.go).
//   - Scripts, styles and pictures are the site's own files; no page runs anything else, were it to hold it (headers.go).
package web

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Config is what every site reads from its environment.
type Config struct {
	// APIURL is the public API, without a path: https://shop.example.
	APIURL string `env:"API_URL,required"`
	// SiteURL is where people find the site, without a path. With https, cookies are for secure connections only.
	SiteURL string `env:"SITE_URL,required"`
	// SessionKeys encrypt the cookies: 32 random bytes each, base64. The first one encrypts, all decrypt. A new key goes behind the old one
	// first, is in front once every process has it, and the old one goes when the last of its sessions has ended, after 30 days.
	SessionKeys []string `env:"SESSION_KEYS,required,notEmpty"`
}

// parse checks the configuration and returns what is made of it.
func (c Config) parse() (public *url.URL, keys [][]byte, err error) {
	var faults []error
	if api, err := url.Parse(c.APIURL); err != nil || api.Host == "" {
		faults = append(faults, fmt.Errorf("API_URL %q is no address with a host", c.APIURL))
	}
	public, err = url.Parse(c.SiteURL)
	if err != nil || public.Host == "" || public.Scheme != "http" && public.Scheme != "https" {
		faults = append(faults, fmt.Errorf("SITE_URL %q is no address of http or https", c.SiteURL))
	}
	for i, text := range c.SessionKeys {
		key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
		if err != nil || len(key) != keySize {
			faults = append(faults, fmt.Errorf("SESSION_KEYS: key %d isn't %d bytes in base64", i+1, keySize))
		}
		keys = append(keys, key)
	}
	return public, keys, errors.Join(faults...)
}
