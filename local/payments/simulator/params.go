package simulator

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxBody is above anything a caller of these endpoints has to say.
const maxBody = 64 << 10

// params are a request's form parameters, under Stripe's bracket names (metadata[order]).
type params url.Values

// readParams takes the body of a POST and the query of a GET, and refuses names outside allowed. A name that ends in []
// allows any key in brackets.
func readParams(r *http.Request, allowed []string) (params, *apiError) {
	raw := r.URL.RawQuery
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
		if err != nil || len(body) > maxBody {
			return nil, invalid("", "", "The request body could not be read, or is above %d bytes.", maxBody)
		}
		raw = string(body)
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, invalid("", "", "The parameters are not form-encoded.")
	}
	for name, vs := range values {
		known := slices.ContainsFunc(allowed, func(a string) bool {
			if prefix, open := strings.CutSuffix(a, "[]"); open {
				return strings.HasPrefix(name, prefix+"[") && strings.HasSuffix(name, "]")
			}
			return name == a
		})
		if !known {
			return nil, invalid(name, "parameter_unknown", "There is no parameter %q here.", name)
		}
		if len(vs) > 1 && !strings.HasSuffix(name, "[]") {
			return nil, invalid(name, "", "The parameter %q is given more than once.", name)
		}
	}
	return params(values), nil
}

func (p params) get(name string) string { return url.Values(p).Get(name) }

func (p params) has(name string) bool { return url.Values(p).Has(name) }

// canonical is the same text for the same parameters.
func (p params) canonical() string { return url.Values(p).Encode() }

// integer reads a whole number of at least low; def when absent.
func (p params) integer(name string, def, low, high int64) (int64, *apiError) {
	if !p.has(name) {
		return def, nil
	}
	n, err := strconv.ParseInt(p.get(name), 10, 64)
	if err != nil {
		return 0, invalid(name, "parameter_invalid_integer", "The parameter %q is not a whole number: %q.", name, p.get(name))
	}
	if n < low || n > high {
		return 0, invalid(name, "parameter_invalid_integer", "The parameter %q must be between %d and %d.", name, low, high)
	}
	return n, nil
}

func (p params) boolean(name string) (bool, *apiError) {
	switch p.get(name) {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, invalid(name, "", "The parameter %q is neither true nor false.", name)
}

// metadata reads metadata[key]=value; limits as Stripe's.
func (p params) metadata() (map[string]string, *apiError) {
	out := map[string]string{}
	for name := range p {
		key, ok := strings.CutPrefix(name, "metadata[")
		if !ok {
			continue
		}
		key = strings.TrimSuffix(key, "]")
		value := p.get(name)
		if key == "" || len(key) > 40 || len(value) > 500 {
			return nil, invalid("metadata", "", "A metadata key has 1 to 40 characters and a value at most 500.")
		}
		if value != "" {
			out[key] = value
		}
	}
	if len(out) > 50 {
		return nil, invalid("metadata", "", "There may be at most 50 metadata keys.")
	}
	return out, nil
}

// method reads payment_method; empty when absent.
func (p params) method() (string, *apiError) {
	name := p.get("payment_method")
	if _, known := methods[name]; name != "" && !known {
		e := missing("payment_method", "payment method", name)
		e.status = http.StatusBadRequest
		return "", e
	}
	return name, nil
}

// returnURL reads return_url, where the shopper goes after the 3-D Secure page; empty when absent.
func (p params) returnURL() (string, *apiError) {
	raw := p.get("return_url")
	if raw == "" {
		return "", nil
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", invalid("return_url", "url_invalid", "The parameter \"return_url\" is not an http or https address.")
	}
	return raw, nil
}

// expands reports whether path is expanded, in full or as the beginning of a longer path.
func (p params) expands(path string) bool {
	for name, vs := range p {
		if !strings.HasPrefix(name, "expand[") {
			continue
		}
		for _, v := range vs {
			if v == path || strings.HasPrefix(v, path+".") {
				return true
			}
		}
	}
	return false
}
