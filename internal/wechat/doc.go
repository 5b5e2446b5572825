// Package wechat is the client of the WeChat Shop order-list API: one list
// call, the access tokens it needs, what each of its error codes asks for, the
// rate and the daily quota it allows, and its clock.
//
// It knows nothing of Kafka, of windows or of checkpoints: the connector
// decides what to ask and in which order, and package cli makes the clients.
// It stores nothing: a new process asks for a token again, which in
// stable_token's normal mode gives the one that is valid already. What has to
// be kept, the tokens of a third-party platform, is kept by whoever gives
// Config.Tokens.
//
//	Host ── one per API host: connection pool, timeout, the API's clock
//	  ├─ Client ── one per app ID: token, rate, quota pause, retries
//	  │    ├─ List ── wait for rate and quota → token → call → verdict
//	  │    └─ Quota ── what is left of the day
//	  └─ Platform ── a third-party platform's calls, one attempt each
//
// A verdict is a page, "again" (List waits and goes on by itself) or an *Error
// whose Class tells the caller what to do. Everything that may pass by itself
// is retried inside List until its context ends; codes.go holds the one table
// that decides, from the vendor's pages
// https://developers.weixin.qq.com/doc/store/shop/dev_before/commErrCode.md and
// https://developers.weixin.qq.com/doc/store/shop/API/channels-shop-order/api_getorderlist.html.
//
// Access tokens travel in the query string and app secrets in request bodies.
// Neither appears in an error or log line of this package: errors that carry a
// URL are unwrapped, bodies are never quoted, and what the API says is
// cleaned of every token and secret in use.
package wechat
