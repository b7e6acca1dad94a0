//go:build bench

package searchbench

import (
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"testing"
)

// plainBefore has a copy of this program be the least that can stand before an Elasticsearch: the standard library's proxy.
const plainBefore = "SEARCHBENCH_PLAIN_BEFORE"

func TestMain(m *testing.M) {
	if elastic := os.Getenv(plainBefore); elastic != "" {
		log.Fatal(servePlain(elastic, "127.0.0.1:"+os.Getenv("PORT")))
	}
	os.Exit(m.Run())
}

// servePlain passes questions on and answers back, and looks into neither.
func servePlain(elastic, address string) error {
	target, err := url.Parse(elastic)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	mux.Handle("/", &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
	})
	return http.ListenAndServe(address, mux)
}

// startPlain starts such a proxy, and ends it with the test.
func startPlain(t *testing.T, elastic string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return start(t, self, plainBefore+"="+elastic)
}
