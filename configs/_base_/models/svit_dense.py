# What SViT of any size has in detectors and segmentors. The authors released nothing for dense
# tasks: these choices are our proposal. Cells (16, 8, 1, 1), as the authors' model file notes
# for large inputs and the paper's FLOPs bear out; a new layer norm after each stage and batch
# norms in evaluation mode, as in RMT's public recipe (github.com/qhfan/RMT), by the same group
# on the same code base.
dense = dict(stoken_size=(16, 8, 1, 1), out_norm=True, norm_eval=True)
