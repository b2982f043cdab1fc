//! The good spec, from which the broken ones come. Single quotes stand for double ones.

/// Nothing is wrong with this.
pub const GOOD: &str = "name = 'base'
seed = 0

[architecture]
d_model = 64
n_ctx = 128
positions = 'none'

[[architecture.blocks]]
kind = 'conv1d'
kernel_size = 2

[[architecture.blocks]]
kind = 'attention'
n_heads = 2

[tokenizer]
kind = 'bytes'

[dataset]
kind = 'stories'

[training]
tokens = 2_000_000
batch_size = 16
optimizer = { kind = 'adamw', lr = 1e-2 }
schedule = { kind = 'cosine', warmup_fraction = 0.05 }
checkpoints = { kind = 'log_linear', count = 24 }

[[analyses]]
probe = 'attention_map'
text = 'Mr Velkrand met Osilwyn.'
head = 'best'
";

// Parts of it that some of the broken ones lack.
pub const CONVOLUTION: &str = "[[architecture.blocks]]\nkind = 'conv1d'\nkernel_size = 2\n\n";
pub const ATTENTION: &str = "[[architecture.blocks]]\nkind = 'attention'\nn_heads = 2\n";
pub const TRAINING: &str = "[training]\ntokens = 2_000_000\nbatch_size = 16\noptimizer = { kind = 'adamw', lr = 1e-2 }\n\
    schedule = { kind = 'cosine', warmup_fraction = 0.05 }\ncheckpoints = { kind = 'log_linear', count = 24 }\n";
pub const MAP: &str =
    "[[analyses]]\nprobe = 'attention_map'\ntext = 'Mr Velkrand met Osilwyn.'\nhead = 'best'\n";
