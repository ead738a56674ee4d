//! Published integers: every figure equals transformers' and torch's to the last digit.

mod common;

use common::{ask, model};
use formwork_analysis::DType;

struct Row {
    name: &'static str,
    params: u128,
    embedding: u128,
    flops_512: u128,
    flops_2048: Option<u128>,
}

/// `sum(p.numel())`, `nn.Embedding` weights, and `FlopCounterMode` at 512 and 2048 tokens.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    Row { name: "codellama-34b", params: 33_743_970_304, embedding: 262_144_000, flops_512: 34_696_893_300_736, flops_2048: Some(143_735_375_527_936) },
    Row { name: "llama-2-13b", params: 13_015_864_320, embedding: 163_840_000, flops_512: 13_374_796_595_200, flops_2048: Some(56_076_166_758_400) },
    Row { name: "llama-2-7b", params: 6_738_415_616, embedding: 131_072_000, flops_512: 6_903_086_186_496, flops_2048: Some(29_261_612_187_648) },
    Row { name: "llama-3.1-70b", params: 70_553_706_496, embedding: 1_050_673_152, flops_512: 71_856_950_345_728, flops_2048: Some(295_674_138_591_232) },
    Row { name: "llama-3.2-3b", params: 3_212_749_824, embedding: 394_002_432, flops_512: 3_379_870_826_496, flops_2048: Some(14_601_815_064_576) },
    Row { name: "mistral-7b-v0.1", params: 7_241_732_096, embedding: 131_072_000, flops_512: 7_418_482_262_016, flops_2048: Some(31_323_196_489_728) },
    Row { name: "mistral-nemo-2407", params: 12_247_782_400, embedding: 671_088_640, flops_512: 12_025_908_428_800, flops_2048: Some(50_165_218_017_280) },
    Row { name: "qwen2.5-0.5b", params: 494_032_768, embedding: 136_134_656, flops_512: 528_364_863_488, flops_2048: Some(2_384_042_393_600) },
    Row { name: "qwen2.5-14b", params: 14_770_033_664, embedding: 778_567_680, flops_512: 14_584_098_324_480, flops_2048: Some(61_428_769_751_040) },
    Row { name: "qwen2.5-3b", params: 3_085_938_688, embedding: 311_164_928, flops_512: 3_237_063_163_904, flops_2048: Some(13_875_965_591_552) },
    Row { name: "qwen2.5-7b", params: 7_615_616_512, embedding: 544_997_376, flops_512: 7_345_199_382_528, flops_2048: Some(30_643_517_915_136) },
    Row { name: "qwen3-1.7b", params: 1_720_574_976, embedding: 311_164_928, flops_512: 1_821_871_439_872, flops_2048: Some(8_009_040_265_216) },
    Row { name: "qwen3-32b", params: 32_762_123_264, embedding: 777_912_320, flops_512: 33_300_894_711_808, flops_2048: Some(139_800_648_613_888) },
    Row { name: "qwen3-8b", params: 8_190_735_360, embedding: 622_329_856, flops_512: 7_904_350_437_376, flops_2048: Some(33_472_827_621_376) },
    Row { name: "smollm2-135m", params: 134_515_008, embedding: 28_311_552, flops_512: 155_826_782_208, flops_2048: Some(840_739_848_192) },
    Row { name: "tinyllama-1.1b", params: 1_100_048_384, embedding: 65_536_000, flops_512: 1_106_490_949_632, flops_2048: Some(4_992_899_481_600) },
    Row { name: "bert-base-uncased", params: 109_482_240, embedding: 23_835_648, flops_512: 96_637_943_808, flops_2048: None },
    Row { name: "bert-large-uncased", params: 335_141_888, embedding: 31_780_864, flops_512: 335_009_546_240, flops_2048: None },
    Row { name: "gpt2", params: 124_439_808, embedding: 39_383_808, flops_512: 136_160_477_184, flops_2048: Some(660_606_025_728) },
    Row { name: "gpt2-medium", params: 354_823_168, embedding: 52_511_744, flops_512: 387_705_733_120, flops_2048: Some(1_860_060_577_792) },
    Row { name: "t5-11b", params: 11_307_321_344, embedding: 32_907_264, flops_512: 12_815_511_322_624, flops_2048: Some(66_105_452_265_472) },
    Row { name: "t5-base", params: 222_903_552, embedding: 24_675_072, flops_512: 257_194_721_280, flops_2048: Some(1_376_671_236_096) },
    Row { name: "t5-small", params: 60_506_624, embedding: 16_450_048, flops_512: 71_605_157_888, flops_2048: Some(402_384_748_544) },
];

#[test]
fn parameters_and_flops_of_published_models() {
    for row in ROWS {
        let model = model(row.name);
        let report = ask(&model, 512);
        assert_eq!(report.params.total, row.params, "{}: parameters", row.name);
        assert_eq!(report.params.active, row.params, "{}: active parameters", row.name);
        assert_eq!(report.params.embedding, row.embedding, "{}: embeddings", row.name);
        assert_eq!(report.params.buffers, 0, "{}: buffers", row.name);
        assert_eq!(report.tree.cost.params, row.params, "{}: the tree's sum", row.name);
        assert_eq!(report.flops.forward, row.flops_512, "{}: FLOPs at 512", row.name);
        if let Some(flops) = row.flops_2048 {
            assert_eq!(ask(&model, 2048).flops.forward, flops, "{}: FLOPs at 2048", row.name);
        }
    }
}

struct Parts {
    name: &'static str,
    seq: u128,
    linear: u128,
    dense: u128,
    masked: u128,
}

#[rustfmt::skip]
const PARTS: &[Parts] = &[
    Parts { name: "gpt2", seq: 1024, linear: 252_993_601_536, dense: 38_654_705_664, masked: 19_346_227_200 },
    Parts { name: "llama-2-7b", seq: 2048, linear: 27_062_588_932_096, dense: 2_199_023_255_552, masked: 1_100_048_498_688 },
    Parts { name: "mistral-7b-v0.1", seq: 2048, linear: 29_124_173_234_176, dense: 2_199_023_255_552, masked: 1_100_048_498_688 },
    Parts { name: "mistral-7b-v0.1", seq: 8192, linear: 116_496_692_936_704, dense: 35_184_372_088_832, masked: 13_195_213_275_136 },
    Parts { name: "qwen2.5-0.5b", seq: 2048, linear: 2_023_265_140_736, dense: 360_777_252_864, masked: 180_476_706_816 },
    Parts { name: "qwen3-4b", seq: 2048, linear: 16_475_226_112_000, dense: 2_473_901_162_496, masked: 1_237_554_561_024 },
    Parts { name: "bert-base-uncased-mlm", seq: 512, linear: 111_580_545_024, dense: 9_663_676_416, masked: 9_663_676_416 },
    Parts { name: "t5-base", seq: 512, linear: 228_203_692_032, dense: 28_991_029_248, masked: 24_168_628_224 },
];

#[test]
fn products_attention_and_training() {
    for it in PARTS {
        let flops = ask(&model(it.name), it.seq).flops;
        assert_eq!(flops.parts.linear, it.linear, "{}", it.name);
        assert_eq!(flops.parts.attention, it.dense, "{}", it.name);
        assert_eq!(flops.parts.attention_masked, it.masked, "{}", it.name);
        assert_eq!(flops.forward_masked, it.linear + it.masked, "{}", it.name);
        assert_eq!(flops.train_step, 3 * flops.forward, "{}", it.name);
        assert_eq!(flops.train_step_fused_attention, 3 * it.linear + 7 * it.dense / 2, "{}", it.name);
    }
    assert_eq!(ask(&model("bert-base-uncased-mlm"), 512).params.total, 109_514_298);
    assert_eq!(ask(&model("qwen3-4b"), 512).params.total, 4_022_468_096);
}

/// Decoding at 2049 and at 32769 visible keys.
const DECODE: &[(&str, u128, u128)] = &[
    ("gpt2", 322_598_400, 1_455_060_480),
    ("llama-2-7b", 14_288_420_864, 30_394_548_224),
    ("mistral-7b-v0.1", 15_295_053_824, 16_368_271_360),
    ("qwen2.5-0.5b", 1_164_169_216, 3_806_580_736),
    ("qwen3-4b", 9_253_093_376, 27_372_486_656),
];

#[test]
fn a_step_of_decoding() {
    for (name, at_2049, at_32769) in DECODE {
        let model = model(name);
        assert_eq!(ask(&model, 2048).flops.decode, Some(*at_2049), "{name}");
        assert_eq!(ask(&model, 32768).flops.decode, Some(*at_32769), "{name}");
    }
    assert_eq!(ask(&model("bert-base-uncased-mlm"), 512).flops.decode, None);
}

/// Bytes in bf16 at 2048, 8192, 32768 and 131072 tokens.
#[rustfmt::skip]
const CACHE: &[(&str, [u128; 4])] = &[
    ("gpt2", [75_497_472, 301_989_888, 1_207_959_552, 4_831_838_208]),
    ("llama-2-7b", [1_073_741_824, 4_294_967_296, 17_179_869_184, 68_719_476_736]),
    ("mistral-7b-v0.1", [268_435_456, 536_870_912, 536_870_912, 536_870_912]),
    ("qwen2.5-0.5b", [25_165_824, 100_663_296, 402_653_184, 1_610_612_736]),
    ("qwen3-4b", [301_989_888, 1_207_959_552, 4_831_838_208, 19_327_352_832]),
];

#[test]
fn the_cache() {
    for (name, bytes) in CACHE {
        let model = model(name);
        for (seq, expected) in [2048, 8192, 32768, 131_072].into_iter().zip(bytes) {
            let cache = ask(&model, seq).kv_cache;
            assert_eq!(cache.bytes_in(DType::Bf16), *expected, "{name} at {seq}");
            assert_eq!(cache.elements * 2, *expected, "{name} at {seq}");
        }
    }
    // Self-attention's and cross-attention's halves, measured on transformers' encoder-decoder cache.
    let t5 = ask(&model("t5-base"), 2048).kv_cache;
    assert_eq!((t5.elements, t5.cross_elements), (75_497_472, 37_748_736));
}
