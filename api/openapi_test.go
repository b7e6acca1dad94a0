package api_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"go.yaml.in/yaml/v3"

	"larder.dev/api"
)

func TestOpenAPI(t *testing.T) {
	recorder := httptest.NewRecorder()
	api.OpenAPI().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/openapi.yaml", nil))
	if recorder.Code != http.StatusOK || recorder.Header().Get("Content-Type") != "application/yaml" {
		t.Fatalf("%d %s, want 200 application/yaml", recorder.Code, recorder.Header().Get("Content-Type"))
	}
	var description struct {
		OpenAPI string                    `yaml:"openapi"`
		Paths   map[string]map[string]any `yaml:"paths"`
	}
	if err := yaml.Unmarshal(recorder.Body.Bytes(), &description); err != nil {
		t.Fatal(err)
	}
	if description.OpenAPI != "3.0.3" {
		t.Errorf("openapi is %q, want 3.0.3", description.OpenAPI)
	}
	// A method of each room that has a REST side.
	for path, method := range map[string]string{
		"/v1/sessions": "post", "/v1/products": "get", "/v1/search": "get", "/v1/carts": "post", "/v1/checkouts": "post",
		"/v1/stores/{store_id}/stock:adjust": "post", "/v1/orders": "get", "/.well-known/jwks.json": "get",
	} {
		if _, ok := description.Paths[path][method]; !ok {
			t.Errorf("%s %s is not described", method, path)
		}
	}
}
