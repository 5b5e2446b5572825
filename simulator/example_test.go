package simulator_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"orderwalk/simulator"
)

// A test of a client: a shop with orders, a fault, and the recorded calls.
func Example() {
	api := simulator.New(simulator.Config{
		Seed: 1,
		Shops: []simulator.Shop{{
			AppID: "wx1", Secret: "s3cret", Token: "a-token-for-tests",
			Backlog: simulator.Backlog{Orders: 5, From: 1750000000, To: 1750003600},
		}},
		Faults: simulator.Faults{KeyOnLastPage: "absent"},
	})
	srv := httptest.NewServer(api)
	defer srv.Close()

	res, err := http.Post(srv.URL+"/channels/ec/order/list/get?access_token=a-token-for-tests", "application/json",
		strings.NewReader(`{"create_time_range":{"start_time":1750000000,"end_time":1750003600}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s\n", page)
	fmt.Println(api.Stats().Shops["wx1"].ListCalls, "list call")
	// Output:
	// {"errcode":0,"errmsg":"ok","order_id_list":["3729007053915804325","3729007477941291584","3729007561322185179","3729007794490063222","3729008020947054865"],"has_more":false}
	// 1 list call
}
