// Package simulator simulates the WeChat Shop order-list API. It is an http.Handler
// that answers the order-list call and the token and quota calls around it, and can
// misbehave in every way that the real service is known or suspected to.
//
// `orderwalk simulate` and `orderwalk dev` serve it, this project's tests run against
// it, and other Go tests in this module can import it:
//
//	api := simulator.New(simulator.Config{
//		Seed: 1,
//		Shops: []simulator.Shop{{
//			AppID: "wx1", Secret: "s3cret",
//			Backlog: simulator.Backlog{Orders: 5000, From: 1750000000, To: 1750086400},
//			Live:    simulator.Live{Rate: 2},
//		}},
//		Faults: simulator.Faults{Random606006Rate: 0.1},
//	})
//	srv := httptest.NewServer(api)
//
// The same seed and the same calls at the same times give the same answers. The
// package uses time.Now, and a Server starts no goroutine: it computes the orders of a
// live shop when a call comes. So a testing/synctest bubble runs through days in a
// moment and ends cleanly. A second Server with the same Config has the same orders
// and accepts the next_keys of the first.
//
// # Calls
//
//	POST /channels/ec/order/list/get?access_token=   a page of order IDs
//	GET  /cgi-bin/token                              a new token; the old one stays valid for 300 s
//	POST /cgi-bin/stable_token                       the same token while it is valid
//	POST /cgi-bin/openapi/quota/get                  limit, used and remaining list calls
//	POST /cgi-bin/openapi/quota/clear                resets a shop's own quota, 50 times a day
//	POST /cgi-bin/clear_quota, /cgi-bin/clear_quota/v2   resets all quotas, 10 times a month
//	POST /cgi-bin/openapi/rid/get                    details of a failed call
//
// and those of a third-party platform (see Platform):
//
//	POST /cgi-bin/component/api_component_token        a component token for a verify ticket
//	POST /cgi-bin/component/api_query_auth             a shop's tokens for an authorization code
//	POST /cgi-bin/component/api_authorizer_token       a shop's access token for its refresh token
//	POST /cgi-bin/component/api_get_authorizer_list    the shops, 500 at a time
//	POST /cgi-bin/component/api_start_push_ticket      starts pushing tickets again
//
// A list call may also have a cloudbase_access_token, which the vendor's hosting keeps
// in a file (see KeepCloudToken), or come without a token through the hosting's relay
// (see Cloud).
//
// All other paths answer 40066. API errors are HTTP 200 with an errcode; a POST
// without Content-Length gets HTTP 412, as from the real gateway.
//
// # Pushes
//
// A Pusher pushes the events of a Server's shops as the vendor does. Each event is
// signed, encrypted and sent up to ten times in 3.6 hours, until it is answered with
// HTTP 200 within 5 s. Shops get JSON. Third-party platforms get XML, and also verify
// tickets and the authorisations that Config.OnAuthorization passes to Announce.
// Faults whose names begin with push_ apply to it. Its goroutines end before Run
// returns:
//
//	pusher, err := simulator.NewPusher(simulator.PushConfig{
//		Server: api,
//		Shops: []simulator.PushShop{{
//			AppID: "wx1", URL: "http://localhost:8090/push/wx1",
//			Token: "token", AESKey: "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
//		}},
//	})
//	err = pusher.Run(ctx)
//
// # Administration
//
// Under /simulator/ the handler serves its own controls, without faults and without
// authentication (do not expose them):
//
//	GET    /simulator/faults                 all switches as JSON
//	PUT    /simulator/faults                 sets the switches in the body, resets all others
//	PATCH  /simulator/faults                 sets the switches in the body, keeps the others
//	GET    /simulator/orders?app_id=&until=  the actual orders created up to a unix second
//	POST   /simulator/orders?app_id=         adds one order (JSON as in GET)
//	GET    /simulator/changes?app_id=&from=&until=  the actual changes, by update time
//	POST   /simulator/changes?app_id=        changes one order (JSON as in GET)
//	GET    /simulator/authorizers            shops that have authorised the platform, with their refresh tokens
//	POST   /simulator/authorizers?app_id=    a shop authorises it, or changes its permissions
//	DELETE /simulator/authorizers?app_id=    a shop withdraws the authorisation
//	GET    /simulator/ticket                 the platform's current verify ticket
//	GET    /simulator/stats                  counts of calls, faults and violations
//
// The simulator does not prove how the real service behaves. Where that is unknown, a
// switch selects each possibility (see Faults); a correct program is correct under all
// of them.
package simulator
