"""How often should a long-running job checkpoint, what does that cost, and how sure is that?"""
