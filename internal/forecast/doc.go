// Package forecast estimates what reading a range will take, for `orderwalk plan`. A
// few list calls sample how many orders exist and when ([Measure]); then the walk is
// played against that estimate without any call ([Play]). It uses connector/window as
// the walk itself does, and publishes nothing.
//
//	sample.go   the list calls of a sample, and the estimate
//	sampler.go  which ranges to list, and what the answers mean: pure
//	forecast.go playing the walk
package forecast
