# The toy transformer of the paper's runs; runs differ in layers and switches.
data_preprocessor = dict(type='BaseDataPreprocessor')
model = dict(
    type='mmsuper.NextToken',
    network=dict(
        type='mmsuper.ToyTransformer',
        vocab_size=67, dim=256, n_layers=1, n_heads=1, max_length=256))
