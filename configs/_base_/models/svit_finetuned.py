# The authors' loop fine-tunes in evaluation mode: batch norms use and keep the statistics of
# the first training, and no path is dropped, whatever rate is asked for.
_base_ = './svit_classifier.py'
classifier = dict(neck=dict(norm_eval=True))
finetuned = dict(out_indices=(3, ), drop_path_rate=0.0, norm_eval=True)
